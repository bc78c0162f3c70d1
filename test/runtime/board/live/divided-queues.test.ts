/** Queues with partitions, limits and delayed messages on the board, with workers on a real broker. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Publisher } from '../../../../runtime/amqp/publisher.ts';
import { silentLog } from '../../../../runtime/base/log.ts';
import type { Live, TopologyMap } from '../../../../runtime/board/api-live-types.ts';
import { Board } from '../../../../runtime/board/board.ts';
import { viewService } from '../../../../runtime/board/live/service-view.ts';
import type { EventSource } from '../../../../runtime/event-source/event-source.ts';
import { feeding } from '../../../support/feeding.ts';
import { type ServedMetrics, serveMetrics } from '../../../support/served-metrics.ts';
import { stack } from '../../../support/stack.ts';
import { openVhost, type TestVhost } from '../../../support/vhost.ts';

const patience = { timeout: 40_000, interval: 200 };
const section = {
  deadLetterIndex: true,
  exchanges: { shop: { type: 'topic' } },
  queues: {
    orders: {
      orderBy: 'header.customer',
      partitions: 4,
      bindings: [{ exchange: 'shop', routingKey: 'order.*' }],
    },
    mails: { perKey: { of: 'header.tenant', concurrency: 1 }, partitions: 2 },
    texts: { limit: '2/minute' },
    reminders: { delays: true },
  },
};
const functions = Object.fromEntries(
  Object.keys(section.queues).map((queue) => {
    const rabbitmq = { arn: 'arn:aws:mq:eu-central-1:123456789012:broker:b:b-1', queue, basicAuthArn: 'arn' };
    return [`take-${queue}`, { handler: 'x.handler', events: [{ rabbitmq }] }];
  }),
);

describe('divided queues on the board', () => {
  let vhost: TestVhost;
  let served: ServedMetrics;
  let board: Board;
  let plain: Board;
  const sources: EventSource[] = [];
  let finish: () => void = () => undefined;

  beforeAll(async () => {
    vhost = await openVhost(section);
    served = await serveMetrics();
    const service = viewService(vhost.url, { functions, custom: { warren: section } });
    const common = { url: vhost.url, port: 0, page: new Map(), log: silentLog, service };
    const managementUrl = stack.AMQP_MANAGEMENT_URL;
    board = new Board({ ...common, managementUrl, metrics: [served.url] });
    plain = new Board(common);
    await Promise.all([board.start(), plain.start()]);
  });
  afterEach(async () => {
    finish();
    await Promise.all(sources.splice(0).map((source) => source.stop()));
  });
  afterAll(async () => {
    await Promise.all([board?.stop(), plain?.stop()]);
    served?.close();
    await vhost?.close();
  });

  const get = async <T>(path: string, of = board): Promise<T> => {
    const headers = { accept: 'application/json' };
    return (await fetch(`http://127.0.0.1:${of.port}/api${path}`, { headers })).json() as Promise<T>;
  };
  const queue = async (name: string, of = board) =>
    (await get<Live>('/live', of)).queues.find((each) => each.name === name);
  const publish = (exchange: string, key: string, count: number, headers: object = {}) => {
    for (let n = 0; n < count; n += 1) vhost.channel.publish(exchange, key, Buffer.from('{}'), { headers });
  };

  it('live: partitions and queues of a limit are numbers of their queue, and no queues of their own', async () => {
    for (const customer of ['ann', 'bob', 'cid']) publish('shop', 'order.new', 2, { customer });
    for (const of of [board, plain]) {
      await expect
        .poll(() => queue('orders', of), patience)
        .toMatchObject({ waiting: 6, functions: ['take-orders'] });
      const { queues } = await get<Live>('/live', of);
      expect(queues.map(({ name }) => name).sort()).toEqual(['mails', 'orders', 'reminders', 'texts']);
      const { partitions = [] } = (await queue('orders', of)) ?? {};
      expect(partitions.map(({ name }) => name)).toEqual(['orders.0', 'orders.1', 'orders.2', 'orders.3']);
      expect(partitions.reduce((sum, { waiting }) => sum + waiting, 0)).toBe(6);
      expect(partitions.map(({ parked }) => parked)).toEqual([null, null, null, null]);
    }
  });

  it('live: each partition has the keys that workers have in hand', async () => {
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const { observer } = served.metrics;
    const order = { by: 'header.customer', partitions: 4 };
    const given = { url: vhost.url, functionName: 'take-orders', order, observer, batchSize: 1 };
    sources.push(await feeding('orders', () => finished, { ...given, concurrency: 2 }));
    const keys = async () => {
      const all = ((await queue('orders'))?.partitions ?? []).map((each) => each.keys);
      const sum = (of: 'running' | 'waiting' | 'retrying') =>
        all.reduce((total, each) => total + (each?.[of] ?? 0), 0);
      return [sum('running'), sum('waiting'), sum('retrying')];
    };
    await expect.poll(keys, patience).toEqual([2, 1, 0]);
    finish();
    await expect.poll(keys, patience).toEqual([0, 0, 0]);
  });

  it('live: messages whose keys have more than their share wait aside, and those above a limit wait for it', async () => {
    const { observer } = served.metrics;
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const common = { url: vhost.url, observer, batchSize: 1 };
    const order = { by: 'header.tenant', partitions: 2, perKey: { concurrency: 1 } };
    const mails = {
      ...common,
      functionName: 'take-mails',
      order,
      maxMessageBytes: 64 * 1024,
      concurrency: 8,
    };
    sources.push(await feeding('mails', () => ended, mails));
    // After a large message, a worker reads no further ahead than 1,000.
    vhost.channel.publish('', 'mails', Buffer.alloc(40_000, '.'), { headers: { tenant: 'ann' } });
    publish('', 'mails', 1199, { tenant: 'ann' });
    publish('', 'mails', 1, { tenant: 'bob' });
    const parked = async () =>
      (await queue('mails'))?.partitions?.reduce((sum, each) => sum + (each.parked ?? 0), 0);
    await expect.poll(parked, patience).toBeGreaterThan(0);
    const mailsNow = await queue('mails');
    expect(mailsNow?.per_key).toEqual({
      of: 'header.tenant',
      concurrency: 1,
      limit: null,
      waiting: mailsNow?.partitions?.reduce((sum, each) => sum + (each.parked ?? 0), 0),
    });
    expect((await queue('orders'))?.per_key).toBeUndefined();
    end();

    const texts = { ...common, functionName: 'take-texts', limit: { count: 2, periodMs: 60_000 } };
    sources.push(await feeding('texts', async () => undefined, texts));
    publish('', 'texts', 5);
    const limit = async () => (await queue('texts'))?.limit;
    await expect.poll(limit, patience).toEqual({ count: 2, seconds: 60, free: 0, waiting: 3 });
    await expect.poll(async () => (await queue('texts'))?.consumers, patience).toBe(1);
  });

  it('live: messages with a delay are counted by the time in which they are due, with the management API and without', async () => {
    const publisher = new Publisher({ url: vhost.url, name: 'test' });
    for (const delay of ['1 hour', '1 hour', '3 days'] as const)
      await publisher.publish({ exchange: '', routingKey: 'reminders', body: {}, delay });
    await publisher.close();
    const hours = async (of: Board) =>
      (await get<Live>('/live', of)).scheduled?.levels.map(({ waiting, due_within_ms: ms }) => [
        waiting,
        Math.floor(ms / 3_600_000),
      ]);
    // The longest level of an hour is 2,048 s, that of three days 131,072 s.
    const expected = [
      [2, 1],
      [1, 72],
    ];
    await expect.poll(() => hours(plain), patience).toEqual(expected);
    await expect.poll(() => hours(board), patience).toEqual(expected);
    expect((await get<Live>('/live')).scheduled).toMatchObject({ total: 3, held: [] });
  });

  it('live: without the management API, the number of messages shows at least how many come and go', async () => {
    const timer = setInterval(() => publish('', 'reminders', 1), 50);
    const rates = async () => {
      const { rate_in: rateIn = null, rate_out: rateOut = null } = (await queue('reminders', plain)) ?? {};
      return [(rateIn ?? 0) > 0, (rateOut ?? 0) > 0];
    };
    try {
      await expect.poll(rates, patience).toEqual([true, false]);
    } finally {
      clearInterval(timer);
    }
    await vhost.channel.purgeQueue('reminders');
    const gone = async () => {
      const { edges } = await get<TopologyMap>('/topology', plain);
      const arrow = edges.find(
        ({ from, to }) => from === 'queue:reminders' && to === 'function:take-reminders',
      );
      return [(await rates())[1], (arrow?.rate ?? 0) > 0];
    };
    await expect.poll(gone, patience).toEqual([true, true]);
  });

  it('topology: messages that flow have a rate from their exchange to their function', async () => {
    const order = { by: 'header.customer', partitions: 4 };
    const given = { url: vhost.url, functionName: 'take-orders', order };
    sources.push(await feeding('orders', async () => undefined, given));
    let n = 0;
    const timer = setInterval(() => {
      n += 1;
      publish('shop', 'order.paid', 1, { customer: `c${n % 9}` });
    }, 50);
    const flows = async () => {
      const { edges } = await get<TopologyMap>('/topology');
      const rateOf = (from: string) =>
        edges.find((each) => each.from === from && /orders/.test(each.to))?.rate;
      return [(rateOf('exchange:shop') ?? 0) > 0, (rateOf('queue:orders') ?? 0) > 0];
    };
    try {
      await expect.poll(flows, patience).toEqual([true, true]);
    } finally {
      clearInterval(timer);
    }
  });

  it('topology: a queue with partitions is connected with the exchanges that it takes messages from', async () => {
    const { edges } = await get<TopologyMap>('/topology');
    const arrows = edges.map(({ from, to, key }) => [from, to, key]);
    expect(arrows).toContainEqual(['exchange:shop', 'queue:orders', 'order.*']);
    expect(
      arrows.flat().filter((each) => /orders\.\d|by\.header|\.limit\.|exchange:warren/.test(each)),
    ).toEqual([]);
  });
});
