import {
  attemptsHeader,
  exchangeHeader,
  originExchangeHeader,
  originRoutingKeyHeader,
  routingKeyHeader,
} from '../amqp/headers.ts';
import type { Complete } from '../amqp/properties.ts';
import { UnencodedEvent } from '../base/unencoded.ts';
import { type DeliveryLike, eventHeaders, type RabbitMQEvent, toEvent } from './event.ts';
import { fromHeaders } from './event-headers.ts';
import { fromTimestamp } from './event-timestamp.ts';
import { countOf, octet, type ReceivedMessage, short } from './received.ts';

type Source = Parameters<typeof toEvent>[0];

/** The event for deliveries of one queue, as `toEvent`, that is encoded only for a function that needs it. */
export function deliveredEvent(source: Source, deliveries: readonly DeliveryLike[]): RabbitMQEvent {
  return new UnencodedEvent({
    messages: () => deliveries.map((delivery) => readDelivery(source, delivery)),
    encode: () => toEvent(source, deliveries),
  }) as unknown as RabbitMQEvent;
}

/** Reads a delivery as `readEvent` reads it from its event. The message shares nothing with it that a handler could change. */
function readDelivery({ queue, vhost }: Source, delivery: DeliveryLike): ReceivedMessage {
  const { content, fields, properties } = delivery;
  const headers = headersOf(delivery);
  // A literal and not a loop over the names: this runs for each message.
  const received: Complete<ReceivedMessage> = {
    queue,
    vhost,
    content: Buffer.from(content),
    redelivered: fields.redelivered,
    headers,
    contentType: short(properties.contentType),
    contentEncoding: short(properties.contentEncoding),
    messageId: short(properties.messageId),
    correlationId: short(properties.correlationId),
    replyTo: short(properties.replyTo),
    expiration: short(properties.expiration),
    priority: typeof properties.priority === 'number' ? octet(properties.priority) : undefined,
    type: short(properties.type),
    userId: short(properties.userId),
    appId: short(properties.appId),
    timestamp:
      typeof properties.timestamp === 'number' ? fromTimestamp(Math.trunc(properties.timestamp)) : undefined,
    exchange: short(headers[originExchangeHeader] ?? headers[exchangeHeader]),
    routingKey: short(headers[originRoutingKeyHeader] ?? headers[routingKeyHeader]),
    attempt: countOf(headers[attemptsHeader]) + 1,
  };
  return received as ReceivedMessage;
}

function headersOf(delivery: DeliveryLike): Record<string, unknown> {
  const { fields, properties } = delivery;
  const given = (properties.headers ?? {}) as Record<string, unknown>;
  const headers: Record<string, unknown> = {};
  for (const name of Object.keys(given)) {
    const value = given[name];
    if (name === '__proto__' || !isSame(value)) return fromHeaders(eventHeaders(delivery));
    headers[name] = value;
  }
  headers[exchangeHeader] = headers[originExchangeHeader] ?? fields.exchange;
  headers[routingKeyHeader] = headers[originRoutingKeyHeader] ?? fields.routingKey;
  return isSame(headers[exchangeHeader]) && isSame(headers[routingKeyHeader])
    ? headers
    : fromHeaders(eventHeaders(delivery));
}

/** Whether the event has a header with the same value. A text with the replacement character may have lost its bytes. */
function isSame(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\ufffd');
  return typeof value === 'number' || typeof value === 'boolean' || value === null;
}
