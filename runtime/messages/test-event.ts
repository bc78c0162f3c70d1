import { type DeliveryLike, type RabbitMQEvent, toEvent } from './event.ts';

/** A message for a test, in plain values; all but the body can be left out. */
export interface TestMessage {
  /** A Buffer goes in as it is, anything else as JSON; undefined is a body of no bytes. */
  body: unknown;
  queue?: string | undefined;
  vhost?: string | undefined;
  /** Default the default exchange, `''`. */
  exchange?: string | undefined;
  /** Default the queue's name, as for what is published to the default exchange. */
  routingKey?: string | undefined;
  redelivered?: boolean | undefined;
  headers?: Record<string, unknown> | undefined;
  /** Default `application/json` for what goes in as JSON. */
  contentType?: string | undefined;
  contentEncoding?: string | undefined;
  /** 1 transient, 2 persistent. */
  deliveryMode?: number | undefined;
  priority?: number | undefined;
  correlationId?: string | undefined;
  replyTo?: string | undefined;
  /** Milliseconds. */
  expiration?: string | number | undefined;
  messageId?: string | undefined;
  /** A number is seconds since 1970, as in AMQP. */
  timestamp?: Date | number | undefined;
  type?: string | undefined;
  userId?: string | undefined;
  appId?: string | undefined;
}

export interface TestEventOptions {
  /** ARN of the broker. */
  arn?: string;
  /** Queue of messages that name none, default `test-queue`. */
  queue?: string;
  /** Vhost of messages that name none, default `/`. */
  vhost?: string;
}

/**
 * The event with which a function is called for these messages: a test of a handler needs no broker.
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
    content: binary ? body : Buffer.from(JSON.stringify(body) ?? ''),
    fields: { exchange, routingKey, redelivered },
    properties: {
      ...(!binary && { contentType: 'application/json' }),
      ...properties,
      timestamp: timestamp instanceof Date ? Math.floor(timestamp.getTime() / 1000) : timestamp,
    },
  };
}
