import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { z } from 'zod';
import { createHandler as createRaise } from '../../../functions/alerts/raise.ts';
import { RpcClient } from '../../../runtime/amqp/rpc-client.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import type { Invoke } from '../../../runtime/event-source/invoke.ts';
import { onCalls } from '../../../runtime/messages/on-calls.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { bearer, openDeps } from '../../support/deps.ts';
import { context } from '../../support/events.ts';
import { stack } from '../../support/stack.ts';

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const deps = openDeps();
const sources: EventSource[] = [];
let broker: TestBroker;

beforeAll(async () => {
  provider.register();
  broker = await openBroker();
});
beforeEach(() => exporter.reset());
afterAll(async () => {
  await Promise.all(sources.map((source) => source.stop()));
  await Promise.all([broker.close(), deps.close(), provider.shutdown()]);
});

const serve = async (queue: string, handler: Invoke) => {
  const mapping = { functionName: queue, queue, vhost: '/', arn: 'arn', batchSize: 1, windowMs: 0 };
  const source = new EventSource({
    url: stack.AMQP_URL,
    mappings: [mapping],
    invoke: () => handler,
    log: silentLog,
  });
  sources.push(source);
  await source.start();
};

const span = (name: string): ReadableSpan | undefined =>
  exporter.getFinishedSpans().find((each) => each.name === name);
const idOf = (each: ReadableSpan | undefined) => each?.spanContext().spanId;
const parentOf = (each: ReadableSpan | undefined) => each?.parentSpanContext?.spanId;

describe('a trace', () => {
  it('trace: a trace continues from the HTTP request through a retry to the last function', async () => {
    const [first, last, type] = [await broker.queue(), await broker.queue(), unique('type')];
    await broker.channel.bindQueue(first, 'alerts', `critical.${type}`);
    const { publisher } = deps;
    let failures = 0;
    await serve(
      first,
      onMessages({ schema: z.unknown(), publisher }, async () => {
        failures += 1;
        if (failures === 1) throw new Error('the first try fails');
        await publisher.publish({ exchange: '', routingKey: last, body: 'on' });
      }),
    );
    await serve(
      last,
      onMessages({ schema: z.unknown(), publisher }, async () => undefined),
    );
    const event = httpEvent({
      body: { routing_key: `critical.${type}`, message: 'x' },
      authorization: await bearer(1),
    });
    event.routeKey = 'POST /alerts';
    const [traceId, caller] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
    event.headers['traceparent'] = `00-${traceId}-${caller}-01`;
    const reply = await createRaise(deps)(event, context);
    expect(reply.statusCode).toBe(202);
    await expect.poll(() => span(`process ${last}`), { timeout: 15_000 }).toBeDefined();

    const spans = exporter.getFinishedSpans();
    expect(new Set(spans.map((each) => each.spanContext().traceId))).toEqual(new Set([traceId]));
    const request = span('POST /alerts');
    expect(request?.kind).toBe(SpanKind.SERVER);
    expect(request?.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.response.status_code': 202,
    });
    expect(parentOf(request)).toBe(caller);
    // Each is the child of what caused it.
    const [failed, again] = spans.filter(({ name }) => name === `process ${first}`);
    expect(parentOf(span('send alerts'))).toBe(idOf(request));
    expect(parentOf(failed)).toBe(idOf(span('send alerts')));
    expect(failed?.status.code).toBe(SpanStatusCode.ERROR);
    expect(failed?.events).toMatchObject([{ name: 'exception' }]);
    expect(parentOf(span('send warren.retry'))).toBe(idOf(failed));
    expect(parentOf(again)).toBe(idOf(span('send warren.retry')));
    expect(again?.attributes).toMatchObject({
      'messaging.system': 'rabbitmq',
      'messaging.destination.name': 'alerts',
      'messaging.rabbitmq.destination.routing_key': `critical.${type}`,
      'warren.attempt': 2,
    });
    expect(parentOf(span(`send ${last}`))).toBe(idOf(again));
    expect(parentOf(span(`process ${last}`))).toBe(idOf(span(`send ${last}`)));
  });

  it('trace: a trace continues from a call to the function that replies', async () => {
    const method = await broker.queue('method', { 'x-queue-type': 'classic' });
    await broker.channel.bindQueue(method, 'rpc', method);
    await serve(
      method,
      onCalls({ schema: z.unknown(), publisher: deps.publisher }, async () => 'answer'),
    );
    const client = new RpcClient({ url: stack.AMQP_URL, name: unique('rpc-client') });
    try {
      expect((await client.call(method, {})).body).toBe('answer');
    } finally {
      await client.close();
    }
    await expect.poll(() => span(`process ${method}`)).toBeDefined();
    expect(parentOf(span(`process ${method}`))).toBe(idOf(span(`call ${method}`)));
    expect(span(`call ${method}`)?.kind).toBe(SpanKind.CLIENT);
  });
});
