import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../runtime/base/log.ts';
import type {
  Live,
  LiveQueue,
  Spied,
  SpySkipped,
  TopologyMap,
} from '../../../../runtime/board/api-live-types.ts';
import { Board } from '../../../../runtime/board/board.ts';
import { viewService } from '../../../../runtime/board/live/service-view.ts';
import { delivery } from '../../../support/broker.ts';
import { publishAllDead } from '../../../support/dead-letters.ts';
import { type ServedMetrics, serveMetrics } from '../../../support/served-metrics.ts';
import { stack } from '../../../support/stack.ts';
import { openVhost, type TestVhost } from '../../../support/vhost.ts';

const arn = 'arn:aws:mq:eu-central-1:123456789012:broker:b:b-1';
const section = {
  deadLetterIndex: true,
  exchanges: { orders: { type: 'topic' } },
  queues: {
    shop: { bindings: [{ exchange: 'orders', routingKey: 'order.*' }] },
    bank: { bindings: [{ exchange: 'orders', routingKey: 'order.paid' }] },
  },
};
const rabbitmq = (queue: string) => ({ rabbitmq: { arn, queue, basicAuthArn: 'arn' } });
const manifest = {
  functions: {
    sell: { handler: 'sell.handler', events: [rabbitmq('shop')] },
    pay: { handler: 'pay.handler', events: [rabbitmq('bank')] },
  },
  custom: { warren: section },
};

let vhost: TestVhost;
let board: Board;
let plain: Board;
let served: ServedMetrics;

beforeAll(async () => {
  vhost = await openVhost(section);
  served = await serveMetrics();
  const common = { url: vhost.url, port: 0, page: new Map(), log: silentLog };
  board = new Board({
    ...common,
    managementUrl: stack.AMQP_MANAGEMENT_URL,
    service: viewService(vhost.url, manifest),
    metrics: [served.url],
  });
  plain = new Board({ ...common, service: viewService(vhost.url, manifest) });
  await Promise.all([board.start(), plain.start()]);
});
afterAll(async () => {
  await Promise.all([board?.stop(), plain?.stop()]);
  served?.close();
  await vhost?.close();
});

const json = { accept: 'application/json' };
const get = async <T>(path: string, of = board): Promise<T> =>
  (await fetch(`http://127.0.0.1:${of.port}/api${path}`, { headers: json })).json() as Promise<T>;
const queueOf = (live: Live, name: string) => live.queues.find((queue) => queue.name === name);
/** Reads server-sent events until the function returns true. */
const events = async <T>(path: string, isEnough: (event: T) => boolean, begun = async () => {}) => {
  const stop = new AbortController();
  const { body, headers } = await fetch(`http://127.0.0.1:${board.port}/api${path}`, { signal: stop.signal });
  expect(headers.get('content-type')).toBe('text/event-stream');
  await begun();
  let rest = '';
  for await (const chunk of body ?? []) {
    rest += new TextDecoder().decode(chunk);
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    const data = blocks
      .filter((each) => each.startsWith('data: '))
      .map((each) => JSON.parse(each.slice(6)) as T);
    if (data.some(isEnough)) break;
  }
  stop.abort();
};

describe('the live data of the board', () => {
  it('live: waiting messages, consumers, functions and dead letters are reported by the management API, and without it by AMQP', async () => {
    for (let n = 0; n < 7; n += 1) vhost.channel.publish('orders', 'order.made', Buffer.from('{}'));
    await publishAllDead(vhost.channel, [{ queue: 'shop', id: 'a' }]);
    const now = async (of: Board) => queueOf(await get<Live>('/live', of), 'shop');
    const common = { functions: ['sell'], waiting: 7, consumers: 0, dead_letters: 1, retrying: 0 };
    await expect.poll(() => now(board), { timeout: 30_000 }).toMatchObject({ ...common, in_flight: 0 });
    await expect.poll(() => now(plain), { timeout: 30_000 }).toMatchObject({ ...common, in_flight: null });
    const [full, counted] = [await get<Live>('/live'), await get<Live>('/live', plain)];
    expect(full.problem).toBeNull();
    expect(counted.problem).toContain('AMQP_MANAGEMENT_URL');
    for (const { queues } of [full, counted])
      expect(queues.map(({ name }) => name).sort()).toEqual(['bank', 'shop']);
    // Nothing has a delay here.
    expect([full.scheduled, counted.scheduled]).toEqual([null, null]);
  });

  it('live: a stream sends the numbers as they change, and the rate of what arrives', async () => {
    // The broker computes a rate from two of its samples, which are 5 s apart.
    const timer = setInterval(() => vhost.channel.publish('orders', 'order.paid', Buffer.from('{}')), 50);
    const flows = ({ rate_in: rate, waiting }: LiveQueue) => (rate ?? 0) > 0 && waiting > 0;
    try {
      await events<Live>('/live', (live) => live.queues.some((each) => each.name === 'bank' && flows(each)));
    } finally {
      clearInterval(timer);
    }
  });

  it('live: calls, failures and durations of a function come from the metrics of its worker', async () => {
    const mapping = { functionName: 'sell', queue: 'shop', vhost: '/', arn, batchSize: 1, windowMs: 0 };
    const { metrics } = served;
    metrics.begin([mapping]);
    await get('/live');
    const call = (outcome: 'done' | 'failed', ms: number) =>
      metrics.observer.batch?.(mapping, { outcome, messages: 1, redelivered: 0, ms });
    for (let n = 0; n < 90; n += 1) call('done', 40);
    for (let n = 0; n < 10; n += 1) call('failed', 4000);
    const timestamp = Math.floor(Date.now() / 1000) - 45;
    const old = delivery('old', { properties: { timestamp } });
    metrics.observer.taken?.(mapping, [old, old, old]);
    const sell = async () => (await get<Live>('/live')).functions.find(({ name }) => name === 'sell');
    await expect.poll(async () => (await sell())?.p95_ms ?? 0, { timeout: 20_000 }).toBeGreaterThan(2500);
    const { p50_ms: p50, calls_per_s: calls, failures_per_s: failures } = (await sell()) ?? {};
    expect(p50).toBeLessThanOrEqual(50);
    expect(p50).toBeGreaterThan(25);
    expect((calls ?? 0) / (failures ?? 1)).toBeCloseTo(10);
    // In the bucket from 30 to 60 s.
    const { queue_p50_ms: half = 0, queue_p95_ms: most = 0 } = (await sell()) ?? {};
    expect([half, most].every((ms) => ms !== null && ms > 30_000 && ms <= 60_000)).toBe(true);
  });

  it('history: the board keeps the numbers of each queue since its start', async () => {
    await get('/live');
    for (const [range, step] of [
      ['hour', 15_000],
      ['day', 300_000],
    ]) {
      const found = await get<{
        step_ms: number;
        queues: { name: string; at: number[]; waiting: number[] }[];
      }>(`/history?range=${range}`);
      expect(found.step_ms).toBe(step);
      const shop = found.queues.find(({ name }) => name === 'shop');
      expect(shop?.at.length).toBeGreaterThan(0);
      expect(shop?.waiting).toHaveLength(shop?.at.length ?? -1);
    }
  });

  it('topology: exchanges, queues and functions are connected as the manifest declares them', async () => {
    const { nodes, edges } = await get<TopologyMap>('/topology');
    expect(nodes.map(({ id }) => id)).toEqual(
      expect.arrayContaining([
        'exchange:orders',
        'queue:shop',
        'queue:bank',
        'function:sell',
        'function:pay',
      ]),
    );
    const arrows = edges.map(({ from, to, key }) => [from, to, key]);
    expect(arrows).toContainEqual(['exchange:orders', 'queue:shop', 'order.*']);
    expect(arrows).toContainEqual(['queue:bank', 'function:pay', '']);
  });

  it('spy: messages that match the key and the text arrive, and at most 50 per second', async () => {
    const seen: (Spied | SpySkipped)[] = [];
    const publish = async () => {
      const note = (text: string) => Buffer.from(JSON.stringify({ text }));
      vhost.channel.publish('orders', 'order.other', note('apple'));
      vhost.channel.publish('orders', 'order.made', note('pear'));
      for (let n = 0; n < 300; n += 1)
        vhost.channel.publish('orders', 'order.made', note('apple'), { messageId: `m${n}`, headers: { n } });
      await vhost.channel.waitForConfirms();
    };
    const isEnough = (event: Spied | SpySkipped) => {
      seen.push(event);
      return 'skipped' in event;
    };
    await events('/spy?exchange=orders&key=order.made&text=apple', isEnough, publish);
    const spied = seen.filter((each) => !('skipped' in each));
    expect(spied.length).toBeLessThan(300);
    expect(spied[0]).toMatchObject({
      exchange: 'orders',
      routing_key: 'order.made',
      message_id: 'm0',
      headers: { n: 0 },
      body_preview: '{"text":"apple"}',
      bytes: 16,
    });
    // Its queue ends with it.
    const api = `http://127.0.0.1:${board.port}/api/spy?exchange=no-such-exchange`;
    expect((await fetch(api)).status).toBe(404);
  });
});
