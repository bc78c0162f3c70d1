import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import type { Mapping } from '../../../runtime/event-source/mapping.ts';
import { createMetrics, type Metrics } from '../../../runtime/hosts/metrics.ts';
import { withBroker } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

const openMetrics = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';
const mapping: Mapping = {
  functionName: 'work',
  queue: 'work',
  vhost: '/',
  arn: 'arn',
  batchSize: 10,
  windowMs: 0,
};

describe('createMetrics', () => {
  let metrics: Metrics;
  beforeEach(() => {
    metrics = createMetrics();
  });
  afterEach(() => metrics.close());
  const text = async (accept?: string) => (await metrics.read(accept)).text;

  it('a message of a batch that failed and is called again alone counts once', async () => {
    const ended = (messages: number, outcome: 'done' | 'failed') =>
      metrics.observer.batch?.(mapping, { messages, redelivered: 0, ms: 1, outcome });
    ended(2, 'failed');
    ended(1, 'done');
    ended(1, 'failed');
    const labels = 'function="work",queue="work"';
    expect(await text()).toContain(`warren_batches_total{${labels},outcome="failed"} 2\n`);
    expect(await text()).toContain(`warren_messages_total{${labels},outcome="failed"} 1\n`);
    expect(await text()).toContain(`warren_messages_total{${labels},outcome="done"} 1\n`);
  });

  it('every series of a mapping begins at 0, so that its first failure is an increase', async () => {
    metrics.begin([mapping]);
    const labels = 'function="work",queue="work"';
    expect(await text()).toContain(`warren_consumers{${labels}} 0\n`);
    expect(await text()).toContain(`warren_batches_total{${labels},outcome="failed"} 0\n`);
    expect(await text()).toContain(
      'warren_failed_messages_total{queue="work",to="dead-letters",reason="exhausted"} 0\n',
    );
  });

  it('OpenMetrics keeps the names of counters, also of a later read in the format of Prometheus', async () => {
    metrics.begin([mapping]);
    const opened = await metrics.read(openMetrics);
    expect(opened.contentType).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
    expect(opened.text).toContain('# TYPE warren_batches counter\nwarren_batches_total{');
    expect(opened.text).toMatch(/\n# EOF\n$/);
    const plain = await metrics.read();
    expect(plain.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(plain.text).toContain('# TYPE warren_batches_total counter\nwarren_batches_total{');
  });

  it('the time in the queue counts first deliveries with a timestamp, never below 0, and its exemplar is the trace', async () => {
    await withBroker(async (broker) => {
      const queue = await broker.queue();
      const of = { ...mapping, queue, batchSize: 1 };
      const calls: number[] = [];
      const source = new EventSource({
        url: stack.AMQP_URL,
        mappings: [of],
        invoke: () => async () => void calls.push(1),
        log: silentLog,
        observer: metrics.observer,
      });
      const now = Math.floor(Date.now() / 1000);
      const [trace, span] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
      await broker.send(queue, 1, {
        timestamp: now - 40,
        headers: { traceparent: `00-${trace}-${span}-01` },
      });
      // The clock of this publisher is ahead, and its trace was not sampled.
      await broker.send(queue, 2, {
        timestamp: now + 3600,
        headers: { traceparent: `00-${trace}-${span}-00` },
      });
      await broker.send(queue, 3);
      await broker.send(queue, 4, { timestamp: now - 40, headers: { 'x-warren-attempts': 1 } });
      await source.start();
      await expect.poll(() => calls.length, { timeout: 10_000 }).toBe(4);
      await source.stop();
      const plain = await text();
      const labels = `function="work",queue="${queue}"`;
      const bucket = (le: string, of = labels) =>
        `warren_message_queue_duration_seconds_bucket{le="${le}",${of}}`;
      expect(plain).toContain(`${bucket('1')} 1\n`);
      expect(plain).toContain(`${bucket('30')} 1\n`);
      expect(plain).toContain(`warren_message_queue_duration_seconds_count{${labels}} 2\n`);
      expect(plain).not.toContain(trace);
      const opened = await text(openMetrics);
      const exemplar = `# {trace_id="${trace}",span_id="${span}"}`;
      expect(opened).toContain(`${bucket('60')} 2 ${exemplar} 4`);
      expect(opened).toContain(`${bucket('1')} 1\n`);
      const durations = opened.split('\n').filter((line) => line.startsWith('warren_call_duration_seconds'));
      expect(durations.filter((line) => line.includes(exemplar))).not.toHaveLength(0);
    });
  });
});
