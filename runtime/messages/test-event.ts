import type { SomeProperties } from '../amqp/properties.ts';
import { stringifyJson } from '../base/json.ts';
import { type DeliveryLike, type RabbitMQEvent, toEvent } from './event.ts';

/** A message for a test, in plain values. Only the body is required. */
export interface TestMessage extends Omit<SomeProperties, 'expiration' | 'timestamp'> {
  /** A Buffer is used unchanged, any other value as JSON; undefined is an empty body. */
  body: unknown;
  queue?: string | undefined;
  vhost?: string | undefined;
  /** Default the default exchange, `''`. */
  exchange?: string | undefined;
  /** Default the queue's name, as for a publish to the default exchange. */
  routingKey?: string | undefined;
  redelivered?: boolean | undefined;
  /** Default `application/json` for a body that is encoded as JSON. */
  contentType?: string | undefined;
  /** Milliseconds. */
  expiration?: string | number | undefined;
  /** A number is seconds since 1970, as in AMQP. */
  timestamp?: Date | number | undefined;
}

export interface TestEventOptions {
  /** ARN of the broker. */
  arn?: string;
  /** Queue of messages without one, default `test-queue`. */
  queue?: string;
  /** Vhost of messages without one, default `/`. */
  vhost?: string;
}

/**
 * Creates the event with which a function is called for these messages. A test of a handler needs no broker.
 *
 * @example
 * import { rabbitMQEvent } from 'warren/testing';
 * import { handler } from './email.js';
 *
 * const event = rabbitMQEvent([
 *   { queue: 'critical', routingKey: 'critical.disk', body: 'disk full', messageId: 'm-1' },
 *   { queue: 'critical', body: Buffer.from('not JSON') },
 * ]);
 * await handler(event);
 */
export function rabbitMQEvent(
  messages: readonly TestMessage[],
  options: TestEventOptions = {},
): RabbitMQEvent {
  const { arn = 'arn:aws:mq:us-east-1:000000000000:broker:test:b-test', queue = 'test-queue' } = options;
  const event: RabbitMQEvent = { eventSource: 'aws:rmq', eventSourceArn: arn, rmqMessagesByQueue: {} };
  for (const message of messages) {
    const source = { arn, queue: message.queue ?? queue, vhost: message.vhost ?? options.vhost ?? '/' };
    const { rmqMessagesByQueue } = toEvent(source, [toDelivery(message, source.queue)]);
    for (const [key, made] of Object.entries(rmqMessagesByQueue)) {
      event.rmqMessagesByQueue[key] = [...(event.rmqMessagesByQueue[key] ?? []), ...made];
    }
  }
  return event;
}

function toDelivery(message: TestMessage, queueName: string): DeliveryLike {
  const {
    body,
    queue,
    vhost,
    exchange = '',
    routingKey = queueName,
    redelivered = false,
    ...given
  } = message;
  const { timestamp, ...properties } = given;
  const binary = Buffer.isBuffer(body);
  return {
    content: binary ? body : body === undefined ? Buffer.alloc(0) : Buffer.from(stringifyJson(body)),
    fields: { exchange, routingKey, redelivered },
    properties: {
      ...(!binary && { contentType: 'application/json' }),
      ...properties,
      timestamp: timestamp instanceof Date ? Math.floor(timestamp.getTime() / 1000) : timestamp,
    },
  };
}
