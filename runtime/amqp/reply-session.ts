import type { Channel, ConsumeMessage } from 'amqplib';
import { decodedJson, decodedText } from '../base/decoded-text.ts';
import { UnavailableError, UnroutableError, WarrenError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { isJsonType } from '../base/json-type.ts';
import type { BrokerConnection } from './connection.ts';
import { plainConsume } from './plain-consume.ts';

export interface Reply {
  /** A parsed value if the reply is JSON, a string if it is text, a Buffer otherwise. JSON numbers beyond 2^53 are JsonNumbers. */
  body: unknown;
  /** The bytes as they arrived. */
  content: Buffer;
  contentType?: string | undefined;
  /** `error` if the body is a problem (RFC 9457). */
  type?: string | undefined;
}

export interface Waiting {
  resolve: (message: ConsumeMessage) => void;
  reject: (error: Error) => void;
}

/** A channel with a queue for replies. */
export interface ReplySession {
  /** A message that is sent here and returned by the broker ends the wait for its reply. */
  channel: Channel;
  /** Exclusive to this connection and deleted with it. RabbitMQ's direct reply-to would also work, but was 10 % slower. */
  queue: string;
  /** By correlation id. */
  waiting: Map<string, Waiting>;
  /**
   * Time of the broker's last message here, in milliseconds since 1970: unlike a monotonic clock, it continues while the
   * process is frozen.
   */
  heardAt: number;
}

/**
 * Opens a channel and its queue, and passes each reply to the caller that waits for it.
 *
 * @param ended called when the channel has closed or cannot be opened.
 * @throws UnavailableError if the broker is unavailable, WarrenError ERR_BROKER_REFUSED if it refuses our login.
 */
export async function openReplySession(
  connection: BrokerConnection,
  ended: () => void,
): Promise<ReplySession> {
  try {
    const channel = await connection.channel();
    const waiting = new Map<string, Waiting>();
    channel.on('return', ({ fields, properties }) => {
      waiting.get(properties.correlationId)?.reject(new UnroutableError(fields.exchange, fields.routingKey));
    });
    channel.on('close', () => {
      ended();
      for (const each of [...waiting.values()]) {
        each.reject(new UnavailableError('broker', 'the connection closed before the reply'));
      }
    });
    const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
    const session: ReplySession = { channel, queue, waiting, heardAt: Date.now() };
    await plainConsume(channel)(queue, (message) => settle(session, message), { noAck: true });
    return session;
  } catch (error) {
    ended();
    // A refusal of the broker is amqplib's plain error.
    throw error instanceof WarrenError
      ? error
      : new UnavailableError('broker', 'the channel closed while it opened', { cause: error });
  }
}

/** Resolves when the broker has answered on this channel, and so has received everything that was sent on it before. */
export async function probe(session: ReplySession): Promise<void> {
  try {
    // Changes nothing. Any method of AMQP will do that has an answer and needs no right.
    await session.channel.prefetch(0);
  } catch (cause) {
    throw new UnavailableError('broker', 'the channel closed', { cause });
  }
  session.heardAt = Date.now();
}

function settle(session: ReplySession, message: ConsumeMessage | null): void {
  if (!message) {
    // The broker deleted the queue, so no reply can arrive any more.
    session.channel.close().catch(() => undefined);
    return;
  }
  session.heardAt = Date.now();
  // A late reply has no entry: its caller got a DeadlineError.
  session.waiting.get(message.properties.correlationId)?.resolve(message);
}

/** Parses a reply by its content type. */
export function parseReply({ content, properties: { contentType, type } }: ConsumeMessage): Reply {
  return { body: parseBody(content, contentType), content, contentType, type };
}

function parseBody(content: Buffer, contentType: string | undefined): unknown {
  const isJson = contentType === undefined || contentType === '' || isJsonType(contentType);
  if (!isJson && !/^text\/|\+xml\b/i.test(contentType)) return content;
  const json = isJson ? decodedJson(content) : undefined;
  try {
    if (json !== undefined) return parseJson(json);
  } catch {
    // The content type is missing or wrong, but the caller can still use the text.
  }
  return decodedText(content) ?? content;
}
