import { isUtf8 } from 'node:buffer';
import { SpanKind } from '@opentelemetry/api';
import type { z } from 'zod';
import { RejectedError } from '../base/errors.ts';
import { mostNested, parseJson } from '../base/json.ts';
import { problemsOf } from '../base/schema-problems.ts';
import type { TracedOptions } from '../base/trace.ts';
import {
  type BasicProperties,
  fromHeaders,
  fromTimestamp,
  type RabbitMQEvent,
  type RabbitMQMessage,
} from './event.ts';

/** A message as it came, its body not looked at yet. */
export interface ReceivedMessage {
  queue: string;
  vhost: string;
  content: Buffer;
  headers: Record<string, unknown>;
  contentType?: string | undefined;
  contentEncoding?: string | undefined;
  messageId?: string | undefined;
  correlationId?: string | undefined;
  replyTo?: string | undefined;
  expiration?: string | undefined;
  priority?: number | undefined;
  type?: string | undefined;
  userId?: string | undefined;
  appId?: string | undefined;
  timestamp?: Date | undefined;
  redelivered: boolean;
  /** Where it was published first. Known under our adapter; on AWS only where the publisher says it in a header. */
  exchange?: string | undefined;
  routingKey?: string | undefined;
  /** 1 for the first, counted over retries. */
  attempt: number;
}

/** A message whose body was decoded and checked. */
export type Message<Body> = ReceivedMessage & { body: Body };

/**
 * Takes AWS's event apart. It reads tolerantly: properties may be missing or null, headers plain or as bytes, numbers
 * as text.
 */
export function readEvent(event: RabbitMQEvent): ReceivedMessage[] {
  return Object.entries(event.rmqMessagesByQueue).flatMap(([source, messages]) => {
    const [queue = '', vhost = '/'] = splitSource(source);
    return messages.map((message) => readMessage(queue, vhost, message));
  });
}

/** The span of the work on a message, by OpenTelemetry's conventions for messaging. */
export function processing(message: ReceivedMessage): TracedOptions {
  const { queue, exchange, routingKey, headers } = message;
  return {
    ...{ name: `process ${queue}`, kind: SpanKind.CONSUMER, from: headers },
    attributes: {
      'messaging.system': 'rabbitmq',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.destination.name': exchange,
      'messaging.destination.subscription.name': queue,
      'messaging.rabbitmq.destination.routing_key': routingKey,
      'messaging.message.id': message.messageId,
      'messaging.message.conversation_id': message.correlationId,
      'messaging.message.body.size': message.content.length,
      'warren.attempt': message.attempt,
    },
  };
}

function readMessage(queue: string, vhost: string, message: RabbitMQMessage): ReceivedMessage {
  const { redelivered, data } = message;
  // One object for each message, made at once: this runs for every message there is.
  const properties: Partial<BasicProperties> = message.basicProperties;
  const headers = fromHeaders(properties.headers);
  return {
    queue,
    vhost,
    content: Buffer.from(data, 'base64'),
    redelivered,
    headers,
    contentType: short(properties.contentType),
    contentEncoding: short(properties.contentEncoding),
    messageId: short(properties.messageId),
    correlationId: short(properties.correlationId),
    replyTo: short(properties.replyTo),
    expiration: short(properties.expiration),
    priority: octet(properties.priority),
    type: short(properties.type),
    userId: short(properties.userId),
    appId: short(properties.appId),
    timestamp: fromTimestamp(properties.timestamp),
    exchange: short(headers['x-warren-exchange'] ?? headers['x-exchange']),
    routingKey: short(headers['x-warren-routing-key'] ?? headers['x-routing-key']),
    attempt: countOf(headers['x-warren-attempts']) + 1,
  };
}

/**
 * Decodes and checks a body.
 *
 * @throws RejectedError that says what was expected and what came.
 */
export function decode<Body>(message: ReceivedMessage, schema: z.ZodType<Body>): Message<Body> {
  const { contentType = 'application/json', contentEncoding } = message;
  if (contentType !== 'application/json' && !/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType)) {
    throw new RejectedError(`content_type: expected application/json, got "${contentType}"`);
  }
  // Some clients write the charset here. Compressed bodies are refused unread: they can be bombs.
  if (contentEncoding !== undefined && !/^(identity|utf-?8)?$/i.test(contentEncoding)) {
    throw new RejectedError(`content_encoding: expected none, got "${contentEncoding}"`);
  }
  const result = schema.safeParse(parseBody(message.content));
  if (!result.success) {
    throw new RejectedError(problemsOf(result.error).join('; '));
  }
  return Object.assign(message, { body: result.data });
}

/** Whether a message went through `decode`, and so has a body that makes sense. */
export function isDecoded<Body>(message: ReceivedMessage): message is Message<Body> {
  return 'body' in message;
}

function parseBody(content: Buffer): unknown {
  try {
    if (isUtf8(content)) return parseJson(content.toString());
    throw new SyntaxError('not UTF-8');
  } catch (cause) {
    const expected = `body: expected JSON in UTF-8, nested at most ${mostNested} deep`;
    throw new RejectedError(`${expected}, got ${content.length} bytes that are not`, {
      cause,
    });
  }
}

/** A header of ours that counts; whatever a stranger wrote there counts as none. */
export function countOf(value: unknown): number {
  const count = Number(value);
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}

/** A queue's name may hold colons itself; the vhost follows the last pair of them. */
function splitSource(source: string): [string, string] | [string] {
  const at = source.lastIndexOf('::');
  return at < 0 ? [source] : [source.slice(0, at), source.slice(at + 2)];
}

/** A number or its text; what does not fit into AMQP's octet counts as none, since a copy could not be sent on with it. */
function octet(value: unknown): number | undefined {
  const given = typeof value === 'number' || (typeof value === 'string' && value !== '');
  const number = given ? Number(value) : Number.NaN;
  return Number.isInteger(number) && number >= 0 && number < 256 ? number : undefined;
}

function text(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : String(value);
}

/** What takes 255 bytes at the most in AMQP; read from bytes that are not UTF-8, it may have become longer than could be sent on. */
function short(value: unknown): string | undefined {
  const result = text(value);
  // No character of JavaScript's takes more than three bytes.
  return result === undefined || Buffer.byteLength(result) <= 255 ? result : result.slice(0, 85);
}
