import type { CommonMessageFields, MessageProperties } from 'amqplib';
import {
  attemptsHeader,
  exchangeHeader,
  faultsHeader,
  firstFailedAtHeader,
  lastFailedAtHeader,
  originExchangeHeader,
  originRoutingKeyHeader,
  routingKeyHeader,
} from '../amqp/headers.ts';
import type { Properties } from '../amqp/properties.ts';
import { rawHeaders } from '../amqp/raw-headers.ts';
import { type HeaderValue, toHeaders, toHeaderValue } from './event-headers.ts';
import { isAltered, tableHeaders } from './event-table.ts';
import { toTimestamp } from './event-timestamp.ts';

/**
 * The event with which AWS Lambda's mapping for Amazon MQ (RabbitMQ) calls a function. AWS publishes a sample but no type.
 * These types follow the sample and the observed events.
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

type PlainProperties = Omit<Properties, 'headers' | 'expiration' | 'timestamp'>;

/** The properties of a message in the event; a missing property is null. */
export interface BasicProperties extends Nullable<PlainProperties> {
  headers: Record<string, HeaderValue> | null;
  /** Milliseconds; we emit text. */
  expiration: string | number | null;
  /** Text such as `Jan 1, 1970, 12:33:41 AM`, in UTC. */
  timestamp: string | null;
  /** Reserved by AMQP. */
  clusterId: string | null;
  bodySize: number;
}

type Nullable<Type> = { [Name in keyof Type]: Type[Name] | null };

/** The parts of amqplib's delivery that the event needs. */
export interface DeliveryLike {
  content: Buffer;
  fields: Pick<CommonMessageFields, 'exchange' | 'routingKey' | 'redelivered'>;
  properties: Partial<MessageProperties>;
}

/**
 * Builds the event for deliveries of one queue. It adds two optional headers, `x-exchange` and `x-routing-key`, which AWS's
 * event lacks. A message that returns from a retry queue keeps its original values.
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

/** The headers of the event for a delivery. */
export function eventHeaders({ fields, properties }: DeliveryLike): Record<string, HeaderValue> {
  const given = (properties.headers ?? {}) as Record<string, unknown>;
  const raw = rawHeaders(properties);
  const headers =
    raw !== undefined && isAltered(given)
      ? { ...tableHeaders(raw), ...toHeaders(countsOf(given)) }
      : toHeaders(given);
  headers[exchangeHeader] = toHeaderValue(given[originExchangeHeader] ?? fields.exchange);
  headers[routingKeyHeader] = toHeaderValue(given[originRoutingKeyHeader] ?? fields.routingKey);
  return headers;
}

/** What a host has counted since the message arrived, which its bytes do not have. */
function countsOf(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const names = [attemptsHeader, faultsHeader, firstFailedAtHeader, lastFailedAtHeader];
  return Object.fromEntries(names.flatMap((name) => (name in headers ? [[name, headers[name]]] : [])));
}

function toMessage(delivery: DeliveryLike): RabbitMQMessage {
  const { content, fields, properties } = delivery;
  return {
    // A literal and not a loop over the names: this runs for each message.
    basicProperties: {
      contentType: text(properties.contentType),
      contentEncoding: text(properties.contentEncoding),
      headers: eventHeaders(delivery),
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

function text(value: unknown): string | null {
  return value === undefined || value === null ? null : String(value);
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
