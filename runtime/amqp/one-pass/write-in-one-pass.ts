import type { Channel, ChannelModel, Options } from 'amqplib';
import { MessageWriter } from './message-writer.ts';

/** The parts of amqplib's connection that its types leave out and that writing in one pass uses. */
interface WritingConnection {
  /** By their numbers. */
  channels: ({ buffer: { write(frames: Buffer): boolean } } | null | undefined)[];
  /** Whether something was sent since the last time for a heartbeat. */
  sentSinceLastCheck: boolean;
  /** Writes the frames of a message. Another function takes its place when the connection closes. */
  sendMessage(...message: unknown[]): boolean;
  /** Writes the frames of a body. */
  sendContent(channel: number, content: Buffer): boolean;
  /** Gives a channel its number. */
  freshChannel(channel: unknown, options: unknown): number;
}

/** The parts of a channel. */
interface WritingChannel {
  publish: Publish;
  /** Another function takes its place when the channel closes. */
  sendMessage(...message: unknown[]): boolean;
  /** Of a channel with confirms. */
  pushConfirmCallback(confirmed: unknown): void;
}

type Publish = (
  exchange: string,
  routingKey: string,
  content: Buffer,
  options?: Options.Publish,
  confirmed?: unknown,
) => boolean;

/**
 * Writes messages in one pass. amqplib joins the options of a message to an object, encodes its method, its header and its body into
 * buffers of their own, and copies these into another one: for a message with headers, that takes several times the CPU time. A
 * connection whose private parts are not as expected, such as that of another version of amqplib, stays as it is.
 *
 * What `MessageWriter` does not write, and all on a channel or a connection that is closing, is left to amqplib, with its errors.
 *
 * @param model whose connection has no channels yet.
 */
export function writeInOnePass(model: ChannelModel): void {
  const connection: unknown = model.connection;
  if (!isConnection(connection)) return;
  const writer = new MessageWriter();
  const opened = connection.freshChannel.bind(connection);
  const { sendMessage } = connection;
  connection.freshChannel = (channel, options) => {
    const number = opened(channel, options);
    if (isChannel(channel)) publishWith(writer, connection, sendMessage, channel, number);
    return number;
  };
}

function publishWith(
  writer: MessageWriter,
  connection: WritingConnection,
  send: WritingConnection['sendMessage'],
  channel: WritingChannel,
  number: number,
): void {
  const publish = channel.publish.bind(channel);
  const { sendMessage } = channel;
  const confirms = 'waitForConfirms' in channel;
  channel.publish = (exchange, routingKey, content, options, confirmed) => {
    const isOpen = channel.sendMessage === sendMessage && connection.sendMessage === send;
    const buffer = isOpen && Buffer.isBuffer(content) ? connection.channels[number]?.buffer : undefined;
    const frames = buffer && writer.write(number, { exchange, routingKey, content, options: options ?? {} });
    if (!frames) return publish(exchange, routingKey, content, options, confirmed);
    connection.sentSinceLastCheck = true;
    const hasBody = writer.hasBody;
    const written = buffer.write(frames);
    const isWritten = hasBody ? written : connection.sendContent(number, content);
    if (confirms) channel.pushConfirmCallback(confirmed);
    return isWritten;
  };
}

function isConnection(value: unknown): value is WritingConnection {
  const { channels, sentSinceLastCheck, sendMessage, sendContent, freshChannel } =
    value as Partial<WritingConnection>;
  return (
    Array.isArray(channels) &&
    typeof sentSinceLastCheck === 'boolean' &&
    [sendMessage, sendContent, freshChannel].every((each) => typeof each === 'function')
  );
}

function isChannel(value: unknown): value is WritingChannel & Channel {
  const { publish, sendMessage, pushConfirmCallback } = value as Partial<WritingChannel>;
  return [publish, sendMessage, pushConfirmCallback].every((each) => typeof each === 'function');
}
