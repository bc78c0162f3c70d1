import type { Options } from 'amqplib';
import type { Duration } from '../base/duration.ts';
import { stringifyJson } from '../base/json.ts';
import { withTrace } from '../base/trace.ts';
import type { copyMark } from './copy-mark.ts';
import { routingKeyHeader } from './headers.ts';
import type { Complete, SomeProperties } from './properties.ts';

type PublishedProperties = Omit<SomeProperties, 'deliveryMode' | 'expiration' | 'timestamp' | 'userId'>;

/** When a message is delivered; at once without either. */
interface Delayed {
  /** Milliseconds, or a text such as `3 days`. At most 776 days. */
  delay?: number | Duration | undefined;
  /** Time of the delivery, by the clock of this machine; a time in the past is now. */
  deliverAt?: Date | undefined;
}

/** A message to publish. Only exchange, routing key and body are required. */
export interface OutgoingMessage extends PublishedProperties, Delayed {
  exchange: string;
  routingKey: string;
  /** A Buffer is sent unchanged, any other value as JSON. */
  body: unknown;
  /** Default: `application/json`; none if the body is a Buffer. */
  contentType?: string | undefined;
  /** Default: a random UUID (RFC 9562), which lets the receiver recognize a copy. */
  messageId?: string | undefined;
  /** Milliseconds, which count from the delivery of a delayed message. */
  expiration?: number | undefined;
  /**
   * Time at which it expires on any way, also while it waits for a retry, such as `expiryOf` of the message that it goes on with. Our
   * hosts read it, and other consumers do not. Default: it expires by its `expiration` alone.
   */
  expiresAt?: Date | string | undefined;
  /** Seconds since 1970; default now, null for none. A bigint is what a number cannot hold, in the copy of a message. */
  timestamp?: number | bigint | null | undefined;
  /** Survives a restart of the broker, default true. */
  persistent?: boolean | undefined;
  /**
   * Those of another message may be passed on: headers about its way, such as its attempts, its routing key or `x-death`, are left
   * out, and so is `x-warren-expires-at`, for which `expiresAt` is.
   */
  headers?: Record<string, unknown> | undefined;
  /** Headers as a field table with its length in front (`joinTable`), in place of `headers`. */
  table?: Buffer | undefined;
  /**
   * Milliseconds for which a late confirm is awaited while the broker answers on the connection, default 0, and 10,000 for a delayed
   * message: without it, the message fails at the publisher's deadline, and its second try may be a second message.
   */
  patienceMs?: number | undefined;
  /** A message that reaches no queue is an error, default true. A delayed message that reaches none when it is due is dead-lettered. */
  mandatory?: boolean | undefined;
  /** Keeps the headers about the way of a message, for the copy of one. */
  [copyMark]?: true;
}

/** The body in bytes. */
export function encode({ body }: OutgoingMessage): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.from(stringifyJson(body));
}

type NotProperties =
  | 'exchange'
  | 'routingKey'
  | 'body'
  | 'table'
  | 'patienceMs'
  | 'expiresAt'
  | typeof copyMark
  | keyof Delayed;

/** The properties for amqplib, filled with the defaults. */
export function properties(message: OutgoingMessage, messageId: string): Options.Publish {
  const { exchange, routingKey, body, headers, table } = message;
  const complete: Complete<Omit<OutgoingMessage, NotProperties>> = {
    contentType: message.contentType ?? (Buffer.isBuffer(body) ? undefined : 'application/json'),
    contentEncoding: message.contentEncoding,
    messageId,
    correlationId: message.correlationId,
    replyTo: message.replyTo,
    type: message.type,
    appId: message.appId,
    priority: message.priority,
    expiration: message.expiration,
    timestamp:
      (message.timestamp === undefined ? Math.floor(Date.now() / 1000) : message.timestamp) ?? undefined,
    persistent: message.persistent ?? true,
    mandatory: message.mandatory ?? true,
    // AWS's event has neither exchange nor routing key, so a header carries the key. On the default exchange the key is the
    // name of the queue, which the event has.
    headers: table
      ? {}
      : withTrace(exchange === '' ? headers : { [routingKeyHeader]: routingKey, ...headers }),
  };
  // amqplib ignores undefined properties, but its types do not allow them.
  return complete as Options.Publish;
}
