import { metrics, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RpcClient } from '../../../runtime/amqp/rpc-client.ts';
import { RejectedError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { destinationName } from '../../../runtime/base/messaging.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import type { Invoke } from '../../../runtime/event-source/invoke.ts';
import { onFailure } from '../../../runtime/messages/failure-events.ts';
import { onBatch } from '../../../runtime/messages/on-batch.ts';
import { onCalls } from '../../../runtime/messages/on-calls.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { CallError } from '../../../runtime/messages/reply.ts';
import manifest from '../../../runtime/package.json' with { type: 'json' };
import { dropLetters, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

const spans = new InMemorySpanExporter();
const tracing = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
const points = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: points, exportIntervalMillis: 3_600_000 });
const metering = new MeterProvider({ readers: [reader] });
const { hostname, port } = new URL(stack.AMQP_URL);
const server = { 'server.address': hostname, 'server.port': Number(port) };
const sources: EventSource[] = [];
let broker: TestBroker;
let publisher: Publisher;

beforeAll(async () => {
  broker = await openBroker();
  // Its first instruments are made before the SDK.
  publisher = new Publisher({ url: stack.AMQP_URL, name: unique('publisher') });
  await publisher.publish({ exchange: '', routingKey: await broker.queue(), body: 0 });
  // No propagator: the headers of messages carry no trace.
  tracing.register({ propagator: null });
  metrics.setGlobalMeterProvider(metering);
});
beforeEach(() => spans.reset());
afterAll(async () => {
  await Promise.all(sources.map((source) => source.stop()));
  await Promise.all([publisher.close(), broker.close(), tracing.shutdown(), metering.shutdown()]);
});

const serve = async (queue: string, handler: Invoke, options: object = {}) => {
  const mapping = {
    functionName: queue,
    queue,
    vhost: '/',
    arn: 'arn',
    batchSize: 10,
    windowMs: 0,
    ...options,
  };
  const invoke = () => handler;
  const source = new EventSource({ url: stack.AMQP_URL, mappings: [mapping], invoke, log: silentLog });
  sources.push(source);
  await source.start();
};
const span = (name: string) => spans.getFinishedSpans().find((each) => each.name === name);
const point = async (name: string, attributes: Record<string, unknown>) => {
  points.reset();
  await reader.forceFlush();
  const all = points
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics)
    .flatMap((scope) => scope.metrics)
    .filter(({ descriptor }) => descriptor.name === name)
    .flatMap(({ dataPoints }) => dataPoints as DataPoint<number | Histogram>[]);
  const wanted = Object.entries(attributes);
  return all.find((each) => wanted.every(([key, value]) => each.attributes[key] === value));
};

describe('messaging conventions', () => {
  it('destinations: empty parts and a queue that equals the routing key are left out', () => {
    expect(destinationName('ex', 'a.b')).toBe('ex:a.b');
    expect(destinationName('', 'queue')).toBe('queue');
    expect(destinationName('ex', '')).toBe('ex');
    expect(destinationName('', '')).toBe('amq.default');
    expect(destinationName('ex', 'a.b', 'queue')).toBe('ex:a.b:queue');
    expect(destinationName('rpc', 'add', 'add')).toBe('rpc:add');
  });

  it('a publish has its span and its metrics, with an SDK that has no propagator', async () => {
    const [exchange, queue] = [await broker.exchange('topic'), await broker.queue()];
    await broker.channel.bindQueue(queue, exchange, 'a.*');
    await publisher.publish({ exchange, routingKey: 'a.b', body: 1 });
    const sent = span(`publish ${exchange}:a.b`);
    expect(sent?.kind).toBe(SpanKind.PRODUCER);
    expect(sent?.instrumentationScope).toMatchObject({ name: 'warren', version: manifest.version });
    expect(sent?.attributes).toMatchObject({
      'messaging.system': 'rabbitmq',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': `${exchange}:a.b`,
      'messaging.rabbitmq.destination.routing_key': 'a.b',
      ...server,
    });
    expect(sent?.attributes).not.toHaveProperty('error.type');
    const attributes = {
      'messaging.operation.name': 'publish',
      'messaging.destination.name': exchange,
      ...server,
    };
    expect((await point('messaging.client.sent.messages', attributes))?.value).toBe(1);
    expect((await point('messaging.client.operation.duration', attributes))?.value).toMatchObject({
      count: 1,
    });
  });

  it('a publish that fails has the code of its error as error.type, in its span and its metrics', async () => {
    const exchange = await broker.exchange('topic');
    await expect(publisher.publish({ exchange, routingKey: 'no', body: 1 })).rejects.toThrow();
    const sent = span(`publish ${exchange}:no`);
    expect(sent?.status.code).toBe(SpanStatusCode.ERROR);
    expect(sent?.attributes['error.type']).toBe('ERR_UNROUTABLE');
    const attributes = { 'messaging.destination.name': exchange, 'error.type': 'ERR_UNROUTABLE' };
    expect((await point('messaging.client.sent.messages', attributes))?.value).toBe(1);
  });

  it('a message has its span, its duration, and its time in the queue', async () => {
    const queue = await broker.queue();
    const timestamp = Math.floor(Date.now() / 1000) - 100;
    await publisher.publish({ exchange: '', routingKey: queue, body: 1, timestamp });
    await publisher.publish({ exchange: '', routingKey: queue, body: 'wrong', timestamp });
    const handler = onMessages({ schema: z.number(), publisher, log: silentLog }, async () => undefined);
    await serve(queue, handler, { batchSize: 1 });
    await dropLetters({ queue }, 1);
    const of = { 'messaging.destination.name': queue };
    await expect
      .poll(async () => (await point('messaging.client.consumed.messages', of))?.value, { timeout: 10_000 })
      .toBe(2);
    const ok = spans.getFinishedSpans().filter(({ name }) => name === `process ${queue}`);
    expect(ok.map(({ attributes }) => attributes['error.type'])).toEqual([undefined, 'ERR_REJECTED']);
    expect(ok[0]?.kind).toBe(SpanKind.CONSUMER);
    const failed = { ...of, 'error.type': 'ERR_REJECTED' };
    expect((await point('messaging.process.duration', failed))?.value).toMatchObject({ count: 1 });
    const waited = (await point('warren.message.queue.duration', of))?.value as Histogram;
    expect(waited.count).toBe(2);
    expect(waited.min).toBeGreaterThanOrEqual(100);
  });

  it('onBatch has one span for its messages, and its dead letters are recorded', async () => {
    const queue = await broker.queue();
    const failures: string[] = [];
    const stop = onFailure((failure) => {
      if (failure.queue === queue) failures.push(failure.to);
    });
    for (const n of [1, 2, 3]) await publisher.publish({ exchange: '', routingKey: queue, body: n });
    const handler = onBatch({ schema: z.number(), publisher, log: silentLog }, async (messages) => ({
      batchItemFailures: messages
        .filter(({ body }) => body === 2)
        .map(({ itemIdentifier }) => ({ itemIdentifier, error: new RejectedError('two') })),
    }));
    await serve(queue, handler);
    await dropLetters({ queue }, 1);
    stop();
    expect(failures).toEqual(['dead-letters']);
    const batches = spans.getFinishedSpans().filter(({ name }) => name === `process ${queue}`);
    const count = (sum: number, value: unknown) => sum + Number(value);
    expect(
      batches.map(({ attributes }) => attributes['messaging.batch.message_count']).reduce(count, 0),
    ).toBe(3);
    expect(batches.filter(({ attributes }) => attributes['error.type'] === 'ERR_REJECTED')).toHaveLength(1);
  });

  it('onCalls has the type of a call’s error in its span, the reply goes to an anonymous queue, and dead letters are recorded', async () => {
    const method = await broker.queue('method', { 'x-queue-type': 'classic' });
    await broker.channel.bindQueue(method, 'rpc', method);
    const failures: string[] = [];
    const stop = onFailure((failure) => {
      if (failure.queue === method) failures.push(failure.reason);
    });
    const handler = onCalls({ schema: z.unknown(), publisher, log: silentLog }, async () => {
      throw new CallError(409, 'Taken');
    });
    await serve(method, handler, { kind: 'rpc', batchSize: 1 });
    const client = new RpcClient({ url: stack.AMQP_URL, name: unique('rpc-client') });
    try {
      expect((await client.call(method, {})).type).toBe('error');
    } finally {
      await client.close();
    }
    await expect.poll(() => span(`process rpc:${method}`)).toBeDefined();
    expect(span(`process rpc:${method}`)?.attributes['error.type']).toBe('ERR_CALL');
    expect(span('publish')?.attributes).toMatchObject({ 'messaging.destination.anonymous': true });
    expect(span(`call ${method}`)?.attributes).toMatchObject(server);
    // A call without an address for its reply.
    await broker.send(method, {});
    await dropLetters({ queue: method }, 1);
    stop();
    expect(failures).toEqual(['rejected']);
  });
});

it.each([
  ['', false],
  ['messaging', false],
  ['http/dup, messaging/dup', true],
])(
  'messaging: with OTEL_SEMCONV_STABILITY_OPT_IN "%s" a span has the old attribute too: %s',
  async (value, isBoth) => {
    vi.stubEnv('OTEL_SEMCONV_STABILITY_OPT_IN', value);
    vi.resetModules();
    try {
      // It reads the environment once.
      const { spanAttributes } = await import('../../../runtime/base/messaging.ts');
      const attributes = spanAttributes('process');
      expect(attributes).toMatchObject({
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
      });
      expect(attributes['messaging.operation']).toBe(isBoth ? 'process' : undefined);
    } finally {
      vi.unstubAllEnvs();
      vi.resetModules();
    }
  },
);
