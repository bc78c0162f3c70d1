import type { ChannelModel } from 'amqplib';
import { keepTable } from '../raw-headers.ts';
import { keepTexts } from '../raw-texts.ts';
import { type ConnectionParts, isChannel, isConnection, type ReceivingChannel } from './amqplib-parts.ts';
import { DeliveryReader, type WireMessage } from './delivery-reader.ts';

/** What a channel has between two messages, as long as it is open. */
type Between = Pick<ReceivingChannel, 'handleMessage' | 'accept'>;

/**
 * Reads deliveries in one pass, and hands them to their consumers directly. amqplib reads a frame, then its arguments, then hands it
 * to a state machine, which emits an event: for a small message, that takes about twice the CPU time. A connection whose private
 * parts are not as expected, such as that of another version of amqplib, stays as it is.
 *
 * It reads only what amqplib would read next, and leaves to it all that `DeliveryReader` does not read, so that the order of frames,
 * their checks and their errors stay amqplib's.
 *
 * @param model whose connection has no channels yet, and keeps raw headers.
 */
export function readInOnePass(model: ChannelModel): void {
  const connection: unknown = model.connection;
  if (isConnection(connection)) new OnePass(connection);
}

const nothing = Buffer.alloc(0);

class OnePass {
  readonly #connection: ConnectionParts;
  readonly #reader: DeliveryReader;
  /** Receives frames while the connection is open. */
  readonly #accept: unknown;
  /** Undefined until there is a channel, and if a channel is not as expected. */
  #between: Between | undefined;

  constructor(connection: ConnectionParts) {
    this.#connection = connection;
    this.#reader = new DeliveryReader(connection.maxFrameSize);
    this.#accept = connection.accept;
    const opened = connection.freshChannel.bind(connection);
    connection.freshChannel = (channel, options) => {
      const number = opened(channel, options);
      this.#between = isChannel(channel) ? channelBetween(channel) : undefined;
      return number;
    };
    const read = connection.recvFrame.bind(connection);
    connection.recvFrame = () => {
      if (connection.rest.length > 0) this.#readAll();
      return read();
    };
  }

  /** Reads the deliveries at the beginning of what has arrived. */
  #readAll(): void {
    const connection = this.#connection;
    const reader = this.#reader;
    const bytes = connection.rest;
    let at = 0;
    reader.bytes = bytes;
    try {
      // A consumer may close its channel or the connection, and then amqplib drops the rest.
      while (connection.accept === this.#accept) {
        const number = reader.channelAt(at);
        const channel = number === undefined ? undefined : this.#channel(number);
        if (number === undefined || channel === undefined) break;
        const message = reader.read(at, number);
        const consumer = message && channel.consumers.get(message.fields.consumerTag);
        if (!consumer) break;
        at = reader.at;
        this.#keep(message);
        this.#hand(channel, consumer, message);
      }
    } finally {
      reader.bytes = nothing;
      if (at > 0) connection.rest = bytes.subarray(at);
    }
  }

  /** The channel, if it is open and waits for a message. */
  #channel(number: number): ReceivingChannel | undefined {
    const channel = this.#connection.channels[number]?.channel;
    const between = this.#between;
    if (!channel || !between) return undefined;
    const isBetween = channel.handleMessage === between.handleMessage && channel.accept === between.accept;
    return isBetween ? channel : undefined;
  }

  /** Keeps beside the properties what their values do not have. */
  #keep({ properties }: WireMessage): void {
    const { bytes, headerAt, properties: read } = this.#reader;
    if (read.isLossy) keepTexts(properties, bytes.subarray(headerAt));
    if (properties.headers !== undefined) keepTable(properties, bytes, read.tableFrom, read.tableTo);
  }

  #hand(channel: ReceivingChannel, consumer: (message: WireMessage) => void, message: WireMessage): void {
    try {
      consumer(message);
    } catch (error) {
      failed(channel, message, error);
    }
  }
}

const channelBetween = ({ handleMessage, accept }: ReceivingChannel): Between => ({ handleMessage, accept });

/** Does what amqplib does if a consumer throws: it closes the channel. */
function failed(channel: ReceivingChannel, { content }: WireMessage, error: unknown): void {
  if (channel.listenerCount('handler-error') > 0) {
    setImmediate(() => channel.emit('handler-error', error, 'delivery'));
    return;
  }
  channel.handleMessage = () => {
    throw error;
  };
  // The frame that completed the message: the last of its body, or its header.
  channel.acceptMessageFrame(content.length > 0 ? { content } : { id: 60 });
}
