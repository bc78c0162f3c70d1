/** Names and numbers of OpenTelemetry's semantic conventions for messaging and RabbitMQ, as of version 1.44. */
import {
  type Attributes,
  type Counter,
  createNoopMeter,
  type Histogram,
  type Meter,
  type MeterProvider,
  metrics,
} from '@opentelemetry/api';
import { errorType, scopeName } from './trace.ts';
import { version } from './version.ts';

/** Name of an operation, after AMQP's methods, with its type in the conventions. */
const operations = {
  publish: 'send',
  process: 'process',
  ack: 'settle',
  reject: 'settle',
  nack: 'settle',
} as const;

export type Operation = keyof typeof operations;

/** Host and port of a broker. */
export interface Server {
  host: string;
  port: number;
}

/** The conventions are not stable. With this value, spans have attributes of version 1.24 as well, for a transition. */
const optIn = (process.env['OTEL_SEMCONV_STABILITY_OPT_IN'] ?? '').split(',').map((each) => each.trim());
const both = optIn.includes('messaging/dup');

/** The attributes that all spans and metrics about messages have. */
export function messagingAttributes(operation: Operation, server?: Server | undefined): Attributes {
  return {
    'messaging.system': 'rabbitmq',
    'messaging.operation.name': operation,
    'messaging.operation.type': operations[operation],
    ...(server && { 'server.address': server.host, 'server.port': server.port }),
  };
}

/** The attributes of a span about messages, which has the old ones too during a transition. */
export function spanAttributes(operation: Operation, server?: Server | undefined): Attributes {
  const attributes = messagingAttributes(operation, server);
  return both ? { ...attributes, 'messaging.operation': operation } : attributes;
}

/**
 * Destination of a message: `exchange:routing.key` when it is published, and with `:queue` when it is consumed. Empty parts are
 * left out, and a queue that equals the routing key.
 */
export function destinationName(exchange = '', routingKey = '', queue = ''): string {
  const parts = [exchange, routingKey, queue === routingKey ? '' : queue].filter((part) => part !== '');
  return parts.join(':') || 'amq.default';
}

/** Attributes of an operation, and the number of its messages. */
export interface Measured {
  operation: Operation;
  attributes: Attributes;
  messages: number;
}

interface Instruments {
  sent: Counter;
  consumed: Counter;
  operation: Histogram;
  process: Histogram;
  inQueue: Histogram;
}

/** Boundaries in seconds that the conventions recommend. */
const boundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Seconds. A queue may hold messages for a day. */
const queueBoundaries = [1, 2.5, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 86_400];

let known: { provider: MeterProvider; instruments: Instruments | undefined } | undefined;

/** The instruments of the current SDK; undefined without one. An instrument that was made before the SDK would stay silent. */
function currentInstruments(): Instruments | undefined {
  const provider = metrics.getMeterProvider();
  if (known?.provider === provider) return known.instruments;
  const meter = provider.getMeter(scopeName, version);
  known = { provider, instruments: meter === createNoopMeter() ? undefined : createInstruments(meter) };
  return known.instruments;
}

/** Whether an SDK for metrics is registered. */
export function isMeasured(): boolean {
  return currentInstruments() !== undefined;
}

function createInstruments(meter: Meter): Instruments {
  const counter = (name: string, description: string) =>
    meter.createCounter(name, { unit: '{message}', description });
  const histogram = (name: string, description: string, explicitBucketBoundaries = boundaries) =>
    meter.createHistogram(name, { unit: 's', description, advice: { explicitBucketBoundaries } });
  return {
    sent: counter(
      'messaging.client.sent.messages',
      'Messages that a producer attempted to send to the broker',
    ),
    consumed: counter(
      'messaging.client.consumed.messages',
      'Messages that were delivered to the application',
    ),
    operation: histogram('messaging.client.operation.duration', 'Duration of operations of a client'),
    process: histogram('messaging.process.duration', 'Duration of processing operations'),
    inQueue: histogram(
      'warren.message.queue.duration',
      'Time from the publish of a message to its first delivery',
      queueBoundaries,
    ),
  };
}

/**
 * Counts the messages of an operation and measures its duration. Without an SDK for metrics it only runs the work.
 *
 * @param describe returns the attributes; called only if there is an SDK.
 * @param failure returns the error of work that failed without throwing, or undefined.
 * @throws the error of `work`, whose type becomes the attribute `error.type`.
 */
export function measured<T>(
  describe: () => Measured,
  work: () => Promise<T>,
  failure: () => unknown = () => undefined,
): Promise<T> {
  const instruments = currentInstruments();
  return instruments ? measuredBy(instruments, describe(), work, failure) : work();
}

async function measuredBy<T>(
  instruments: Instruments,
  { operation, attributes, messages }: Measured,
  work: () => Promise<T>,
  failure: () => unknown,
): Promise<T> {
  const startedAt = performance.now();
  const record = (error: unknown) => {
    const all = error === undefined ? attributes : { ...attributes, 'error.type': errorType(error) };
    const isSend = operation === 'publish';
    instruments[isSend ? 'sent' : 'consumed'].add(messages, isSend ? all : attributes);
    instruments[isSend ? 'operation' : 'process'].record((performance.now() - startedAt) / 1000, all);
  };
  try {
    const result = await work();
    record(failure());
    return result;
  } catch (error) {
    record(error);
    throw error;
  }
}

/** Measures an operation that is over as soon as it has begun, such as an acknowledgement. */
export function measurePoint(describe: () => Attributes): void {
  currentInstruments()?.operation.record(0, describe());
}

/** Records how long messages were in their queue. AMQP's timestamps are in seconds. */
export function measureQueueTime(
  queue: string,
  messages: readonly { timestamp?: Date | undefined; attempt: number }[],
): void {
  const inQueue = currentInstruments()?.inQueue;
  if (!inQueue) return;
  const now = Date.now();
  const attributes = { 'messaging.system': 'rabbitmq', 'messaging.destination.name': queue };
  for (const { timestamp, attempt } of messages) {
    // A retry carries the timestamp of its original.
    if (timestamp && attempt === 1) inQueue.record(Math.max(0, now - timestamp.getTime()) / 1000, attributes);
  }
}
