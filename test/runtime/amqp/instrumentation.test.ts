import { AmqplibInstrumentation } from '@opentelemetry/instrumentation-amqplib';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { stack } from '../../support/stack.ts';

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const instrumentation = new AmqplibInstrumentation();

beforeAll(() => {
  provider.register();
  instrumentation.setTracerProvider(provider);
});
afterAll(async () => {
  instrumentation.disable();
  await provider.shutdown();
});

describe('beside @opentelemetry/instrumentation-amqplib', () => {
  it('a message and a call have one trace without doubled spans, and the clients of others keep their spans', async () => {
    // Imported only now: the instrumentation wraps amqplib when it is loaded.
    const { openBroker, unique } = await import('../../support/broker.ts');
    const { Publisher } = await import('../../../runtime/amqp/publisher.ts');
    const { RpcClient } = await import('../../../runtime/amqp/rpc-client.ts');
    const { silentLog } = await import('../../../runtime/base/log.ts');
    const { EventSource } = await import('../../../runtime/event-source/event-source.ts');
    const { onMessages } = await import('../../../runtime/messages/on-messages.ts');
    const { onCalls } = await import('../../../runtime/messages/on-calls.ts');

    const broker = await openBroker();
    const url = stack.AMQP_URL;
    const publisher = new Publisher({ url, name: unique('publisher') });
    const client = new RpcClient({ url, name: unique('client') });
    const method = await broker.queue('method', { 'x-queue-type': 'classic' });
    await broker.channel.bindQueue(method, 'rpc', method);
    const queue = await broker.queue();
    const options = { schema: z.unknown(), publisher, log: silentLog };
    const handlers = {
      [queue]: onMessages(options, () => client.call(method, 1)),
      [method]: onCalls(options, async () => 'answer'),
    };
    const mapping = { vhost: '/', arn: 'arn', batchSize: 1, windowMs: 0 };
    const source = new EventSource({
      url,
      mappings: [
        { ...mapping, functionName: 'work', queue },
        { ...mapping, functionName: 'method', queue: method, kind: 'rpc' },
      ],
      invoke: (of) => handlers[of.queue] as (typeof handlers)[string],
      log: silentLog,
    });
    await source.start();
    try {
      await publisher.publish({ exchange: '', routingKey: queue, body: 1 });
      const names = () => exporter.getFinishedSpans().map(({ name }) => name);
      await expect.poll(names, { timeout: 10_000 }).toContain(`ack ${queue}`);
      const expected = [
        `publish ${queue}`,
        `process ${queue}`,
        `ack ${queue}`,
        `call ${method}`,
        `process rpc:${method}`,
        `ack ${method}`,
        'publish',
      ];
      expect(names().sort()).toEqual(expected.sort());
      expect(new Set(exporter.getFinishedSpans().map((each) => each.spanContext().traceId)).size).toBe(1);
      // The instrumentation is at work: this client is not ours.
      await broker.send(queue, 2);
      expect(names()).toContain('publish <default>');
    } finally {
      await source.stop();
      await Promise.all([publisher.close(), client.close()]);
      await broker.close();
    }
  });
});
