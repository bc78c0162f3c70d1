import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../../runtime/amqp/connection.ts';
import { Publisher, type PublisherLike } from '../../../../runtime/amqp/publisher.ts';
import { silentLog } from '../../../../runtime/base/log.ts';
import type { Invoke } from '../../../../runtime/event-source/invoke.ts';
import { OrderedPoller } from '../../../../runtime/event-source/ordered/ordered-poller.ts';
import { deadLetters, partitionQueue, workersQueue } from '../../../../runtime/topology/names.ts';
import { killConnection, unique } from '../../../support/broker.ts';
import { type Faulty, faultyServer, proxyTo } from '../../../support/faults.ts';
import { messagesIn, patience } from '../../../support/feeding.ts';
import { openVhost, type TestVhost } from '../../../support/vhost.ts';

const order = { by: 'header.customer', partitions: 4, deliveryLimit: 10 };
const queue = 'orders';
/** A message that fails is retried after the test, or never. */
const [retried, refused] = [
  { delays: [600], maxAge: 3600 },
  { delays: [], maxAge: 3600 },
];
let vhost: TestVhost;
const open: { close(): Promise<unknown> }[] = [];
beforeAll(async () => {
  const { by, ...settings } = order;
  vhost = await openVhost({ queues: { [queue]: { orderBy: by, ...settings } } });
});
afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close();
  for (let index = 0; index < order.partitions; index += 1)
    await vhost.channel.purgeQueue(partitionQueue(queue, index));
  await vhost.channel.purgeQueue(deadLetters);
});
afterAll(() => vhost.close());

const opened = <T extends { close(): Promise<unknown> }>(each: T): T => {
  open.push(each);
  return each;
};

interface WorkerOptions {
  url?: string;
  publisher?: PublisherLike;
  policy?: typeof refused;
  answerMs?: number;
  log?: typeof silentLog;
}

/** A worker whose consumers and dead letters each have a connection that a test can mistreat. */
async function startWorker(invoke: Invoke, given: WorkerOptions = {}) {
  const { url = vhost.url, policy = retried, ...rest } = given;
  const { publisher = opened(new Publisher({ url: vhost.url, name: 'test' })) } = given;
  const name = unique('ordered');
  const connection = opened(new BrokerConnection({ url, name }));
  const mapping = {
    functionName: 'fed',
    queue,
    vhost: vhost.name,
    arn: 'arn:test',
    batchSize: 10,
    windowMs: 0,
  };
  const poller = new OrderedPoller({
    mapping: { ...mapping, order, policy, concurrency: 4 },
    connection,
    invoke,
    arrivals: { earliest: () => performance.now() },
    log: silentLog,
    ...rest,
    publisher,
  });
  opened({ close: () => poller.stop() });
  await poller.start();
  return { name, poller };
}

/** The broker behind a server that can fall silent. */
async function silenceable() {
  const proxy = proxyTo(new URL(vhost.url));
  const sockets = new Set<Socket>();
  let isSilent = false;
  const server: Faulty = opened(
    await faultyServer((socket) => {
      sockets.add(socket);
      if (!isSilent) proxy.serve(socket);
    }),
  );
  const url = Object.assign(new URL(vhost.url), { port: server.port }).href;
  const freeze = () => {
    isSilent = true;
    proxy.freeze();
  };
  /** Ends the connections that got no answer; the next ones get some. */
  const cut = () => {
    isSilent = false;
    for (const socket of sockets) socket.destroy();
  };
  return { url, freeze, cut };
}

/** Customers of all partitions. */
const customers = Array.from({ length: 12 }, (_, index) => `customer ${index}`);

async function send(customer: string, ...numbers: number[]): Promise<void> {
  for (const n of numbers) {
    const content = Buffer.from(JSON.stringify({ customer, n }));
    vhost.channel.sendToQueue(queue, content, { messageId: `${customer} ${n}`, headers: { customer } });
  }
  await vhost.channel.waitForConfirms();
}

const numbersIn = (event: Parameters<Invoke>[0]) =>
  messagesIn(event).map(({ body }) => (body as { n: number }).n);

describe('a partition that is handed over', () => {
  it('orderBy: workers do not pass partitions around while a worker that counts takes none', async () => {
    for (let n = 0; n < 2; n += 1)
      await vhost.channel.consume(workersQueue(queue), () => undefined, { consumerTag: `idle-${n}` });
    try {
      const subscribed = new Map<unknown, number[]>();
      const info = (fields: object, text?: string) => {
        const { queue: partition } = fields as { queue?: string };
        if (text !== 'consuming') return;
        subscribed.set(partition, [...(subscribed.get(partition) ?? []), performance.now()]);
      };
      const fail: Invoke = async () => {
        throw new Error('fails always');
      };
      const log = { ...silentLog, info };
      for (let n = 0; n < 2; n += 1) await startWorker(fail, { log });
      for (const customer of customers) await send(customer, 0);
      // The first two are those of the start.
      const busiest = () =>
        [...subscribed.values()].reduce((one, other) => (one.length > other.length ? one : other));
      await expect.poll(() => busiest().length, { timeout: 60_000, interval: 50 }).toBeGreaterThan(7);
      const times = busiest();
      expect((times[7] as number) - (times[2] as number)).toBeGreaterThan(5000);
    } finally {
      for (let n = 0; n < 2; n += 1) await vhost.channel.cancel(`idle-${n}`);
    }
  }, 90_000);

  it('orderBy: a dead letter that is not confirmed does not keep its partition from another worker', async () => {
    const { url, freeze, cut } = await silenceable();
    const publisher = opened(new Publisher({ url, name: 'test' }));
    await publisher.publish({
      exchange: '',
      routingKey: queue,
      headers: { customer: 'none' },
      body: { n: -1 },
    });
    const first: number[] = [];
    await startWorker(
      async (event) => {
        first.push(...numbersIn(event));
        throw new Error('fails always');
      },
      { publisher, policy: refused },
    );
    freeze();
    for (const customer of customers) await send(customer, 0, 1);
    await expect.poll(() => first.length, patience).toBeGreaterThan(customers.length / 2);
    const second: number[] = [];
    await startWorker(async (event) => void second.push(...numbersIn(event)));
    await expect.poll(() => second.length, { timeout: 30_000, interval: 50 }).toBeGreaterThan(1);
    cut();
  }, 60_000);
});

describe('a worker of an ordered queue', () => {
  it('orderBy: a stop ends although the broker has fallen silent', async () => {
    const { url, freeze } = await silenceable();
    const { poller } = await startWorker(async () => undefined, { url, answerMs: 500 });
    await expect
      .poll(async () => (await vhost.channel.checkQueue(workersQueue(queue))).consumerCount, patience)
      .toBe(1);
    freeze();
    await poller.stop();
  }, 30_000);

  it('orderBy: a message whose dead letter was confirmed late is not called again', async () => {
    const { url, freeze, cut } = await silenceable();
    const publisher = opened(new Publisher({ url, name: 'test' }));
    await publisher.publish({ exchange: '', routingKey: deadLetters, body: 'opens the connection' });
    const seen: number[] = [];
    let subscribed = 0;
    const info = (_: object, text?: string) => {
      if (text === 'consuming') subscribed += 1;
    };
    const { name } = await startWorker(
      async (event) => {
        seen.push(...numbersIn(event));
        if (numbersIn(event).includes(0)) throw new Error('fails always');
      },
      { publisher, policy: refused, log: { ...silentLog, info } },
    );
    freeze();
    await send('ann', 0, 1);
    await expect.poll(() => seen, patience).toEqual([0]);
    await killConnection(name);
    // Its partition is consumed again when the confirm has not come for a while.
    await expect.poll(() => subscribed, patience).toBe(2 * order.partitions);
    cut();
    await expect.poll(() => seen, patience).toEqual([0, 1]);
  }, 60_000);

  it('orderBy: a message whose dead letter cannot be published is dead-lettered by the broker, and its key continues', async () => {
    const publish = async () => {
      throw new RangeError('its properties do not fit a frame');
    };
    const seen: string[] = [];
    await startWorker(
      async (event) => {
        seen.push(
          ...messagesIn(event).map(({ body, redelivered }) => `${JSON.stringify(body)} ${redelivered}`),
        );
        if (numbersIn(event).includes(0)) throw new Error('fails always');
      },
      { publisher: { publish }, policy: refused },
    );
    await send('ann', 0, 1, 2);
    await expect.poll(() => seen.length, patience).toBe(3);
    expect(seen).toEqual([0, 1, 2].map((n) => `{"customer":"ann","n":${n}} false`));
    const { properties } = await vhost.take(deadLetters);
    expect(properties.messageId).toBe('ann 0');
  });

  it('orderBy: a message that fails at each of many workers is dead-lettered alone, and those behind it are called', async () => {
    const seen: number[] = [];
    let [calls, deliveries] = [0, 0];
    const invoke: Invoke = async (event) => {
      calls += 1;
      deliveries = Number(messagesIn(event)[0]?.headers['x-delivery-count'] ?? 0);
      if (numbersIn(event).includes(0)) throw new Error('fails always');
      seen.push(...numbersIn(event));
    };
    await send('ann', 0, 1, 2);
    while (deliveries < 9) {
      const before = calls;
      const { poller } = await startWorker(invoke);
      await expect.poll(() => calls, patience).toBeGreaterThan(before);
      if (deliveries < 9) await poller.stop();
    }
    await expect.poll(() => seen, patience).toEqual([1, 2]);
    const { properties } = await vhost.take(deadLetters);
    expect(properties.messageId).toBe('ann 0');
    expect(properties.headers).toMatchObject({ 'x-warren-reason': 'exhausted' });
    expect(await vhost.count(deadLetters)).toBe(0);
  });
});
