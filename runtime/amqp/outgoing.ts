import { SpanKind } from '@opentelemetry/api';
import type { Options } from 'amqplib';
import { type TracedOptions, withTrace } from '../base/trace.ts';

/** A message to publish; everything but exchange, routing key and body is optional. */
export interface OutgoingMessage {
  exchange: string;
  routingKey: string;
  /** A Buffer goes out as it is; anything else as JSON. */
  body: unknown;
  /** Default: `application/json`, or nothing where the body is a Buffer. */
  contentType?: string | undefined;
  contentEncoding?: string | undefined;
  /** Default: a random UUID (RFC 9562), so that whoever receives it can tell a copy. */
  messageId?: string | undefined;
  correlationId?: string | undefined;
  replyTo?: string | undefined;
  type?: string | undefined;
  appId?: string | undefined;
  priority?: number | undefined;
  /** Milliseconds. */
  expiration?: number | undefined;
  /** Seconds since 1970; default now. */
  timestamp?: number | undefined;
  headers?: Record<string, unknown> | undefined;
  /** Survives a restart of the broker, default true. */
  persistent?: boolean | undefined;
  /** A message that reaches no queue is an error, default true. */
  mandatory?: boolean | undefined;
}

/** The span of a publish, by OpenTelemetry's conventions for messaging. */
export function sending(
  { exchange, routingKey, correlationId }: OutgoingMessage,
  messageId: string,
): TracedOptions {
  return {
    name: `send ${exchange || routingKey}`,
    kind: SpanKind.PRODUCER,
    attributes: {
      'messaging.system': 'rabbitmq',
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'publish',
      'messaging.destination.name': exchange,
      'messaging.rabbitmq.destination.routing_key': routingKey,
      'messaging.message.id': messageId,
      'messaging.message.conversation_id': correlationId,
    },
  };
}

/** The body as it goes out. */
export function encode({ body }: OutgoingMessage): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body ?? null));
}

/** The properties as amqplib takes them, filled with the defaults. */
export function properties(message: OutgoingMessage, messageId: string): Options.Publish {
  const { exchange, routingKey, body, headers } = message;
  return {
    contentType: message.contentType ?? (Buffer.isBuffer(body) ? undefined : 'application/json'),
    contentEncoding: message.contentEncoding,
    messageId,
    correlationId: message.correlationId,
    replyTo: message.replyTo,
    type: message.type,
    appId: message.appId,
    priority: message.priority,
    expiration: message.expiration,
    timestamp: message.timestamp ?? Math.floor(Date.now() / 1000),
    persistent: message.persistent ?? true,
    mandatory: message.mandatory ?? true,
    // AWS's event tells a function neither exchange nor routing key; a header is the way to let it know. Where the key
    // is the queue's name the event does tell.
    headers: withTrace(exchange === '' ? headers : { 'x-routing-key': routingKey, ...headers }),
    // amqplib leaves out what is undefined; its types don't say so.
  } as Options.Publish;
}
