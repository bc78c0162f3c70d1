import { headerText } from '../amqp/header-text.ts';
import {
  attemptsHeader,
  exchangeHeader,
  originExchangeHeader,
  originRoutingKeyHeader,
  routingKeyHeader,
} from '../amqp/headers.ts';
import type { Complete, SomeProperties } from '../amqp/properties.ts';
import { textBytes } from '../amqp/raw-texts.ts';
import { unencodedIn } from '../base/unencoded.ts';
import type { BasicProperties, RabbitMQEvent, RabbitMQMessage } from './event.ts';
import { fromHeaders } from './event-headers.ts';
import { fromTimestamp } from './event-timestamp.ts';

type ReceivedProperties = Omit<SomeProperties, 'headers' | 'deliveryMode' | 'timestamp'>;

/** A message whose body is not decoded yet. */
export interface ReceivedMessage extends ReceivedProperties {
  queue: string;
  vhost: string;
  content: Buffer;
  headers: Record<string, unknown>;
  timestamp?: Date | undefined;
  redelivered: boolean;
  /** Exchange of its first publish. Our event source always provides it; on AWS it is set only if the publisher sent a header. */
  exchange?: string | undefined;
  /** Routing key of its first publish, as `exchange`. */
  routingKey?: string | undefined;
  /** Number of this delivery, counted over retries; 1 for the first. */
  attempt: number;
}

/** A message whose body is decoded and checked. */
export type Message<Body> = ReceivedMessage & { body: Body };

/**
 * Reads AWS's event. It is tolerant: properties may be missing or null, headers plain or as bytes, and numbers may be text.
 */
export function readEvent(event: RabbitMQEvent): ReceivedMessage[] {
  const unencoded = unencodedIn(event);
  if (unencoded) return unencoded.messages() as ReceivedMessage[];
  return Object.entries(event.rmqMessagesByQueue).flatMap(([source, messages]) => {
    const [queue = '', vhost = '/'] = splitSource(source);
    return messages.map((message) => readMessage(queue, vhost, message));
  });
}

function readMessage(queue: string, vhost: string, message: RabbitMQMessage): ReceivedMessage {
  const { redelivered, data } = message;
  const properties: Partial<BasicProperties> = message.basicProperties;
  return makeReceived(
    {
      queue,
      vhost,
      redelivered,
      content: Buffer.from(data, 'base64'),
      headers: fromHeaders(properties.headers),
    },
    properties,
    octet(properties.priority),
    fromTimestamp(properties.timestamp),
  );
}

/** What a message has besides its properties. */
type Envelope = Pick<ReceivedMessage, 'queue' | 'vhost' | 'content' | 'redelivered' | 'headers'>;

/** The properties that are texts in an event and on the wire. */
type Texts = { [Name in keyof Omit<ReceivedProperties, 'priority'>]?: unknown };

/** Makes a message of the parts that its source represents in its own way. */
export function makeReceived(
  { queue, vhost, content, redelivered, headers }: Envelope,
  texts: Texts,
  priority: number | undefined,
  timestamp: Date | undefined,
): ReceivedMessage {
  // A literal and not a loop over the names: this runs for each message.
  const received: Complete<ReceivedMessage> = {
    queue,
    vhost,
    content,
    redelivered,
    headers,
    contentType: short(texts.contentType),
    contentEncoding: short(texts.contentEncoding),
    messageId: short(texts.messageId),
    correlationId: short(texts.correlationId),
    replyTo: short(texts.replyTo),
    expiration: short(texts.expiration),
    priority,
    type: short(texts.type),
    userId: short(texts.userId),
    appId: short(texts.appId),
    timestamp,
    exchange: short(headers[originExchangeHeader] ?? headers[exchangeHeader]),
    routingKey: short(headers[originRoutingKeyHeader] ?? headers[routingKeyHeader]),
    attempt: countOf(headers[attemptsHeader]) + 1,
  };
  return received as ReceivedMessage;
}

/** Whether a message was decoded, so that its body is valid. */
export function isDecoded<Body>(message: ReceivedMessage): message is Message<Body> {
  return 'body' in message;
}

/** The value of a header that counts; 0 for anything that another client may have put there. */
export function countOf(value: unknown): number {
  // A table may have a field `toString`, and JavaScript throws if it makes a number of that.
  const count = typeof value === 'object' ? 0 : Number(value);
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}

/** Splits `<queue>::<vhost>`. The name of a queue may contain colons; the vhost follows the last pair of them. */
function splitSource(source: string): [string, string] | [string] {
  const at = source.lastIndexOf('::');
  return at < 0 ? [source] : [source.slice(0, at), source.slice(at + 2)];
}

/** Reads a number or its text; undefined if it does not fit into AMQP's octet, because a copy could not be sent with it. */
export function octet(value: unknown): number | undefined {
  const given = typeof value === 'number' || (typeof value === 'string' && value !== '');
  const number = given ? Number(value) : Number.NaN;
  return Number.isInteger(number) && number >= 0 && number < 256 ? number : undefined;
}

/** Reads a text of at most 255 bytes in AMQP. A text from AWS's event can be longer, because its bytes are not UTF-8, and is cut. */
function short(value: unknown): string | undefined {
  const result = headerText(value);
  // A UTF-16 unit takes at most three bytes.
  if (result === undefined || result.length <= 85) return result;
  return textBytes(result) <= 255 ? result : result.slice(0, 85);
}
