import { metrics, SpanKind, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import type { ConsumeMessage } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { Acknowledger } from '../../../runtime/event-source/acknowledger.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

const spans = new InMemorySpanExporter();
const tracing = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
const traceparent = (n: number) => `00-${String(n).repeat(32)}-${String(n).repeat(16)}-01`;

describe('Acknowledger', () => {
  let broker: TestBroker;
  let connection: BrokerConnection;
  beforeAll(async () => {
    broker = await openBroker();
    connection = new BrokerConnection({ url: stack.AMQP_URL, name: unique('acknowledger') });
    tracing.register();
  });
  beforeEach(() => spans.reset());
  afterAll(async () => {
    await Promise.all([broker.close(), connection.close(), tracing.shutdown()]);
    trace.disable();
    metrics.disable();
  });

  /** Consumes a queue with three messages, each in a trace of its own. */
  const consume = async () => {
    const queue = await broker.queue();
    for (const n of [1, 2, 3]) await broker.send(queue, n, { headers: { traceparent: traceparent(n) } });
    const channel = await connection.channel();
    const deliveries: ConsumeMessage[] = [];
    await channel.consume(queue, (delivery) => void (delivery && deliveries.push(delivery)));
    await expect.poll(() => deliveries.length).toBe(3);
    return {
      queue,
      channel,
      deliveries,
      acknowledger: new Acknowledger(channel, { mapping: { queue }, connection }),
    };
  };

  it('deliveries that are done in one turn are one acknowledgement, whose span links to their traces', async () => {
    const { queue, channel, deliveries, acknowledger } = await consume();
    acknowledger.done(deliveries.slice(0, 2));
    acknowledger.done(deliveries.slice(2));
    await expect.poll(() => spans.getFinishedSpans()).toHaveLength(1);
    await channel.close();
    expect(await broker.count(queue)).toBe(0);
    const [settled] = spans.getFinishedSpans();
    const { hostname, port } = new URL(stack.AMQP_URL);
    expect(settled).toMatchObject({ name: `ack ${queue}`, kind: SpanKind.CLIENT });
    expect(settled?.attributes).toMatchObject({
      'messaging.system': 'rabbitmq',
      'messaging.operation.name': 'ack',
      'messaging.operation.type': 'settle',
      'messaging.destination.name': queue,
      'messaging.batch.message_count': 3,
      'server.address': hostname,
      'server.port': Number(port),
    });
    const linked = settled?.links.map(({ context }) => context.traceId);
    expect(linked).toEqual([1, 2, 3].map((n) => String(n).repeat(32)));
  });

  it('a delivery that is settled alone has its span in its own trace, by the name of its method', async () => {
    const { queue, channel, deliveries, acknowledger } = await consume();
    const [first, second, third] = deliveries as [ConsumeMessage, ConsumeMessage, ConsumeMessage];
    // The consumer would take them again.
    await channel.cancel(first.fields.consumerTag);
    acknowledger.one(first);
    acknowledger.reject(second);
    acknowledger.putBack(third);
    await channel.close();
    expect((await broker.drain(queue)).map(({ content }) => Number(content)).sort()).toEqual([2, 3]);
    const settled = spans.getFinishedSpans();
    expect(settled.map(({ name }) => name)).toEqual([`ack ${queue}`, `reject ${queue}`, `nack ${queue}`]);
    expect(settled.map((span) => span.spanContext().traceId)).toEqual(
      [1, 2, 3].map((n) => String(n).repeat(32)),
    );
    expect(settled.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(
      [1, 2, 3].map((n) => String(n).repeat(16)),
    );
    expect(settled[0]?.attributes['messaging.rabbitmq.message.delivery_tag']).toBe(1);
  });

  it('a delivery whose channel has closed is not settled, and has no span', async () => {
    const { queue, channel, deliveries, acknowledger } = await consume();
    await channel.close();
    acknowledger.one(deliveries[0] as ConsumeMessage);
    expect(spans.getFinishedSpans()).toEqual([]);
    await expect.poll(() => broker.count(queue)).toBe(3);
  });
});
