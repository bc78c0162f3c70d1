import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { type ServedMetrics, serveMetrics } from '../../support/served-metrics.ts';
import { stack } from '../../support/stack.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';
import { runWarren } from '../../support/warren-command.ts';

const section = {
  queues: {
    orders: { orderBy: 'header.customer', partitions: 2 },
    texts: { limit: '2/minute' },
    reminders: { delays: true },
  },
};

describe('warren topology show --counts', () => {
  let vhost: TestVhost;
  let served: ServedMetrics;
  let folder: string;
  beforeAll(async () => {
    vhost = await openVhost(section);
    served = await serveMetrics();
    folder = await mkdtemp(join(tmpdir(), 'warren-counts-'));
    await writeFile(
      join(folder, 'warren.json'),
      JSON.stringify({ functions: {}, custom: { warren: section } }),
    );
    const publisher = new Publisher({ url: vhost.url, name: 'test' });
    for (const customer of ['ann', 'bob', 'cid', 'dan'])
      await publisher.publish({ exchange: '', routingKey: 'orders', body: {}, headers: { customer } });
    await publisher.publish({ exchange: '', routingKey: 'texts', body: {} });
    await publisher.publish({ exchange: '', routingKey: 'reminders', body: {}, delay: '1 hour' });
    await publisher.close();
    const mapping = { functionName: 'ship', queue: 'orders', vhost: '/', arn: '', batchSize: 1, windowMs: 0 };
    served.metrics.observer.keys?.(mapping, () => [
      { running: 1, waiting: 0, retrying: 0 },
      { running: 0, waiting: 2, retrying: 3 },
    ]);
  });
  afterAll(async () => {
    served?.close();
    await vhost?.close();
    await rm(folder, { recursive: true, force: true });
  });
  const counts = (...args: string[]) => {
    const manifest = join(folder, 'warren.json');
    const env = { AMQP_URL: vhost.url, AMQP_MANAGEMENT_URL: stack.AMQP_MANAGEMENT_URL };
    return runWarren(
      ['topology', 'show', '--counts', '--manifest', manifest, '--metrics', served.url, ...args],
      env,
    );
  };

  it('topology: what waits is counted for queues, partitions with their keys, limits and delays', async () => {
    const read = async () => JSON.parse((await counts('--json')).out);
    await expect
      .poll(read, { timeout: 30_000 })
      .toMatchObject({ problem: null, scheduled: { total: 1, levels: [{ waiting: 1 }] } });
    const found = await read();
    const queue = (name: string) => found.queues.find((each: { name: string }) => each.name === name);
    expect(found.queues.map(({ name }: { name: string }) => name).sort()).toEqual([
      'orders',
      'reminders',
      'texts',
    ]);
    expect(queue('orders')).toMatchObject({
      waiting: 4,
      partitions: [
        { name: 'orders.0', keys: { running: 1, waiting: 0, retrying: 0 } },
        { name: 'orders.1', keys: { running: 0, waiting: 2, retrying: 3 } },
      ],
    });
    expect(queue('texts')).toMatchObject({ waiting: 1, limit: { count: 2, seconds: 60 } });
  });

  it('topology: the counts are tables in a terminal', async () => {
    const { code, out } = await counts();
    expect(code).toBe(0);
    expect(out).toMatch(/orders\.1 .* 0 .* 2 .* 3 /);
    expect(out).toMatch(/2 in 60 s, (2 free|1 wait for it)/);
    expect(out).toContain('1 delayed messages wait');
    // The levels of an hour are due within twice the longest of them, 2048 s.
    expect(out).toMatch(/│ 1\.14 h +│ 1 /);
  });
});
