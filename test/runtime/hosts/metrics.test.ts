import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../../runtime/hosts/metrics.ts';

describe('createMetrics', () => {
  it('a message of a batch that failed and is called again alone counts once', async () => {
    const metrics = createMetrics();
    const mapping = {
      functionName: 'work',
      queue: 'work',
      vhost: '/',
      arn: 'arn',
      batchSize: 10,
      windowMs: 0,
    };
    const ended = (messages: number, outcome: 'done' | 'failed') =>
      metrics.observer.batch?.(mapping, { messages, redelivered: 0, ms: 1, outcome });
    ended(2, 'failed');
    ended(1, 'done');
    ended(1, 'failed');
    const { text } = await metrics.read();
    metrics.close();
    const labels = 'function="work",queue="work"';
    expect(text).toContain(`warren_batches_total{${labels},outcome="failed"} 2\n`);
    expect(text).toContain(`warren_messages_total{${labels},outcome="failed"} 1\n`);
    expect(text).toContain(`warren_messages_total{${labels},outcome="done"} 1\n`);
  });
});
