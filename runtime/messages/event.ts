import type { CommonMessageFields, MessageProperties } from 'amqplib';
import { mostNestedHeaders } from '../amqp/header-size.ts';

/**
 * The event with which AWS Lambda's mapping for Amazon MQ (RabbitMQ) calls a function. AWS publishes a sample of it and
 * no type; these types follow the sample and what the mapping was seen to send.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
 */
export interface RabbitMQEvent {
  eventSource: 'aws:rmq';
  eventSourceArn: string;
  /** Messages by `<queue>::<vhost>`. */
  rmqMessagesByQueue: Record<string, RabbitMQMessage[]>;
}

export interface RabbitMQMessage {
  basicProperties: BasicProperties;
  redelivered: boolean;
  /** The body, in base64. */
  data: string;
}

export interface BasicProperties {
  contentType: string | null;
  contentEncoding: string | null;
  headers: Record<string, HeaderValue> | null;
  /** 1 transient, 2 persistent. */
  deliveryMode: number | null;
  priority: number | null;
  correlationId: string | null;
  replyTo: string | null;
  /** Milliseconds; text in what we emit. */
  expiration: string | number | null;
  messageId: string | null;
  /** Text such as `Jan 1, 1970, 12:33:41 AM`, in UTC. */
  timestamp: string | null;
  type: string | null;
  userId: string | null;
  appId: string | null;
  clusterId: string | null;
  bodySize: number;
}

/** A header as JSON: a string becomes the bytes of its UTF-8 form. */
export type HeaderValue =
  | { bytes: number[] }
  | number
  | boolean
  | string
  | null
  | HeaderValue[]
  | { [name: string]: HeaderValue };

/** A delivery as amqplib gives it, as far as the event needs it. */
export interface DeliveryLike {
  content: Buffer;
  fields: Pick<CommonMessageFields, 'exchange' | 'routingKey' | 'redelivered'>;
  properties: Partial<MessageProperties>;
}

/**
 * Builds the event for deliveries of one queue. Two optional headers of ours, `x-exchange` and `x-routing-key`, tell
 * what AWS's event leaves out; a message that comes back from a retry queue keeps those it had at first.
 */
export function toEvent(
  source: { arn: string; queue: string; vhost: string },
  deliveries: readonly DeliveryLike[],
): RabbitMQEvent {
  return {
    eventSource: 'aws:rmq',
    eventSourceArn: source.arn,
    rmqMessagesByQueue: { [`${source.queue}::${source.vhost}`]: deliveries.map(toMessage) },
  };
}

function toMessage({ content, fields, properties }: DeliveryLike): RabbitMQMessage {
  const given = (properties.headers ?? {}) as Record<string, unknown>;
  const headers = mapValues(given, toHeaderValue);
  headers['x-exchange'] = toHeaderValue(given['x-warren-exchange'] ?? fields.exchange);
  headers['x-routing-key'] = toHeaderValue(given['x-warren-routing-key'] ?? fields.routingKey);
  return {
    basicProperties: {
      contentType: text(properties.contentType),
      contentEncoding: text(properties.contentEncoding),
      headers,
      deliveryMode: number(properties.deliveryMode),
      priority: number(properties.priority),
      correlationId: text(properties.correlationId),
      replyTo: text(properties.replyTo),
      expiration: text(properties.expiration),
      messageId: text(properties.messageId),
      timestamp: typeof properties.timestamp === 'number' ? toTimestamp(properties.timestamp) : null,
      type: text(properties.type),
      userId: text(properties.userId),
      appId: text(properties.appId),
      clusterId: text(properties.clusterId),
      bodySize: content.length,
    },
    redelivered: fields.redelivered,
    data: content.toString('base64'),
  };
}

/**
 * A header value of any AMQP type (RabbitMQ's errata to AMQP 0-9-1, field tables) as the event holds it; null for what is nested
 * deeper than it could be sent on: nesting that the stack can't take would fail the whole batch.
 */
function toHeaderValue(value: unknown, depth = 0): HeaderValue {
  if (typeof value === 'string') return { bytes: utf8(value) };
  if (Buffer.isBuffer(value)) return { bytes: [...value] };
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null || depth >= mostNestedHeaders) return null;
  const inner = (each: unknown) => toHeaderValue(each, depth + 1);
  if (Array.isArray(value)) return value.map(inner);
  // amqplib marks the types that JavaScript lacks with a key "!".
  if ('!' in value && 'value' in value) {
    if (value['!'] === 'timestamp') return inner(toTimestamp(Number(value.value)));
    if (value['!'] === 'decimal') {
      const { digits, places } = value.value as { digits: number; places: number };
      return digits / 10 ** places;
    }
    return inner(value.value);
  }
  return mapValues(value as Record<string, unknown>, inner);
}

/** The bytes of a text; most are short and plain, and then this beats the way over a buffer. */
function utf8(text: string): number[] {
  const bytes: number[] = [];
  for (let n = 0; n < text.length; n += 1) {
    const code = text.charCodeAt(n);
    if (code > 127) return [...Buffer.from(text)];
    bytes.push(code);
  }
  return bytes;
}

/** The plain values of headers. */
export function fromHeaders(
  headers: Record<string, HeaderValue> | null | undefined,
): Record<string, unknown> {
  return headers ? mapValues(headers, fromHeaderValue) : {};
}

/** The plain value of a header: bytes become text again, what is nested too deep becomes null. */
export function fromHeaderValue(value: HeaderValue, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const inner = (each: HeaderValue) => fromHeaderValue(each, depth + 1);
  if (Array.isArray(value)) return depth < mostNestedHeaders ? value.map(inner) : null;
  const { bytes } = value;
  if (Array.isArray(bytes) && Object.keys(value).length === 1)
    return Buffer.from(bytes as number[]).toString();
  if (depth >= mostNestedHeaders) return null;
  return mapValues(value as Record<string, HeaderValue>, inner);
}

// Made by whoever feeds functions, not at the cold start of each function: that takes as long as the rest of the runtime.
let timestampFormat: Intl.DateTimeFormat | undefined;

/** Seconds since 1970 in AWS's form. */
export function toTimestamp(seconds: number): string | null {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return null;
  timestampFormat ??= new Intl.DateTimeFormat('en-US', {
    dateStyle: 'medium',
    timeStyle: 'medium',
    timeZone: 'UTC',
  });
  // Newer Unicode data puts a narrow no-break space before AM and PM.
  return timestampFormat.format(date).replaceAll('\u202f', ' ');
}

/**
 * Reads a timestamp in AWS's form, in ISO 8601, or as a number of seconds or milliseconds.
 *
 * @returns undefined where it is missing, can't be read or is before 1970, which AMQP can't say: a timestamp decides nothing here.
 */
export function fromTimestamp(value: string | number | null | undefined): Date | undefined {
  if (value === null || value === undefined || value === '') return undefined;
  const date =
    typeof value === 'number'
      ? new Date(value < 100_000_000_000 ? value * 1000 : value)
      : parseDate(value.replaceAll('\u202f', ' '));
  return date.getTime() >= 0 ? date : undefined;
}

function parseDate(value: string): Date {
  // AWS's text names no zone and means UTC; without the suffix it would be read as local time.
  return /[ap]m$/i.test(value) ? new Date(`${value} UTC`) : new Date(value);
}

function mapValues<From, To>(record: Record<string, From>, map: (value: From) => To): Record<string, To> {
  const result: Record<string, To> = {};
  for (const key of Object.keys(record)) {
    const value = map(record[key] as From);
    // Assigned, this one would change what the object is.
    if (key === '__proto__') Object.defineProperty(result, key, { value, enumerable: true });
    else result[key] = value;
  }
  return result;
}

function text(value: unknown): string | null {
  return value === undefined || value === null ? null : String(value);
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
