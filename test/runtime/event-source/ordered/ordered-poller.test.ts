import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { joinTable, rawField } from '../../../../runtime/amqp/field-table.ts';
import { withRawHeaders } from '../../../../runtime/amqp/raw-headers.ts';
import { silentLog } from '../../../../runtime/base/log.ts';
import type { EventSource } from '../../../../runtime/event-source/event-source.ts';
import type { Invoke } from '../../../../runtime/event-source/invoke.ts';
import { createLongPoll } from '../../../../runtime/hosts/long-poll.ts';
import { deadLetters, partitionQueue } from '../../../../runtime/topology/names.ts';
import { feeding, messagesIn, patience } from '../../../support/feeding.ts';
import { openVhost, type TestVhost } from '../../../support/vhost.ts';

const order = { by: 'header.customer', partitions: 4 };
const queue = 'orders';
let vhost: TestVhost;
const sources: EventSource[] = [];
beforeAll(async () => {
  vhost = await openVhost({
    retryDelays: [1],
    exchanges: { shop: { type: 'topic' } },
    queues: {
      [queue]: {
        orderBy: order.by,
        partitions: order.partitions,
        bindings: [{ exchange: 'shop', routingKey: 'order.*' }],
      },
    },
  });
});
afterEach(async () => {
  await Promise.all(sources.splice(0).map((source) => source.stop()));
  for (let index = 0; index < order.partitions; index += 1)
    await vhost.channel.purgeQueue(partitionQueue(queue, index));
  await vhost.channel.purgeQueue(deadLetters);
});
afterAll(() => vhost.close());

const send = (customer: string | undefined, n: number) => {
  const headers = customer === undefined ? {} : { customer };
  const content = Buffer.from(JSON.stringify({ customer, n }));
  vhost.channel.publish('shop', 'order.placed', content, { mandatory: true, headers });
};
const publish = async (customer: string | undefined, ...numbers: number[]) => {
  for (const n of numbers) send(customer, n);
  await vhost.channel.waitForConfirms();
};

const startWorker = async (invoke: Invoke, settings: Parameters<typeof feeding>[2] = {}) => {
  const source = await feeding(queue, invoke, { url: vhost.url, order, concurrency: 4, ...settings });
  sources.push(source);
  return source;
};

interface Body {
  customer: string | undefined;
  n: number;
}
const bodiesIn = (event: Parameters<Invoke>[0]) => messagesIn(event).map(({ body }) => body as Body);
const upTo = (total: number) => Array.from({ length: total }, (_, n) => n);

/** A gate that a test opens. */
const gate = () => {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
};

describe('a queue with orderBy', () => {
  it('orderBy: a call has one message of a key, the next one waits for it, and other keys pass', async () => {
    const held = gate();
    const done: string[] = [];
    const queues = new Set<string>();
    await startWorker(async (event) => {
      const bodies = bodiesIn(event);
      for (const { queue: from } of messagesIn(event)) queues.add(from);
      expect(new Set(bodies.map(({ customer }) => customer)).size).toBe(bodies.length);
      if (bodies.some(({ customer, n }) => customer === 'ann' && n === 0)) await held.opened;
      for (const { customer, n } of bodies) done.push(`${customer} ${n}`);
    });
    await publish('ann', 0);
    await publish('ann', 1, 2);
    await publish('bob', 0, 1, 2);
    await expect.poll(() => done.filter((each) => each.startsWith('bob')), patience).toHaveLength(3);
    expect(done.filter((each) => each.startsWith('ann'))).toEqual([]);
    held.open();
    await expect.poll(() => done, patience).toHaveLength(6);
    expect(done.filter((each) => each.startsWith('ann'))).toEqual(['ann 0', 'ann 1', 'ann 2']);
    expect(done.filter((each) => each.startsWith('bob'))).toEqual(['bob 0', 'bob 1', 'bob 2']);
    expect([...queues]).toEqual([queue]);
  });

  it('orderBy: a key waits for its message that is retried, and other keys do not', async () => {
    const done: string[] = [];
    const attempts: number[] = [];
    await startWorker(async (event) => {
      for (const { body, attempt } of messagesIn(event)) {
        const { customer, n } = body as Body;
        if (customer === 'ann' && n === 0) attempts.push(attempt);
        if (customer === 'ann' && n === 0 && attempt === 1) throw new Error('fails once');
        done.push(`${customer} ${n}`);
      }
    });
    await publish('ann', 0, 1, 2);
    await expect.poll(() => attempts, patience).toEqual([1]);
    await publish('bob', 0, 1);
    await expect.poll(() => done, patience).toHaveLength(5);
    expect(done).toEqual(['bob 0', 'bob 1', 'ann 0', 'ann 1', 'ann 2']);
    expect(attempts).toEqual([1, 2]);
  });

  it.each([
    ['a text that is not UTF-8', { name: 'who', value: Buffer.from('S\0\0\0\u0001\xe9', 'latin1') }],
    ['a first failure that is ahead', rawField('x-warren-first-failed-at', '2999-01-01T00:00:00.000Z')],
  ])('orderBy: the attempts of a message with %s in its headers are counted', async (_what, field) => {
    const from = Date.now();
    const firsts: unknown[] = [];
    const attempts: number[] = [];
    await startWorker(async (event) => {
      for (const { attempt, headers } of messagesIn(event)) {
        attempts.push(attempt);
        firsts.push(headers['x-warren-first-failed-at']);
      }
      throw new Error('always');
    });
    withRawHeaders(vhost.channel, joinTable([rawField('customer', 'ann'), field]), () =>
      vhost.channel.publish('shop', 'order.placed', Buffer.from('{}'), { headers: {} }),
    );
    const { properties } = await vhost.take(deadLetters);
    expect(attempts).toEqual([1, 2]);
    expect(properties.headers).toMatchObject({ 'x-warren-attempts': 2, 'x-warren-reason': 'exhausted' });
    expect(Date.parse(String(firsts[1]))).toBeGreaterThanOrEqual(from);
    expect(Date.parse(String(firsts[1]))).toBeLessThanOrEqual(Date.now());
  });

  it('orderBy: a message that fails at its last attempt is dead-lettered, and its key continues', async () => {
    const done: number[] = [];
    await startWorker(async (event) => {
      const messages = messagesIn(event);
      const isPoisonous = ({ body }: { body: unknown }) => (body as Body).n === 1;
      done.push(...messages.filter((message) => !isPoisonous(message)).map(({ body }) => (body as Body).n));
      if (messages.some(isPoisonous)) throw new Error('fails always');
    });
    await publish('ann', 0, 1, 2, 3);
    await expect.poll(() => done, patience).toEqual([0, 2, 3]);
    const { content, properties } = await vhost.take(deadLetters);
    expect(JSON.parse(content.toString())).toEqual({ customer: 'ann', n: 1 });
    expect(properties.headers).toMatchObject({
      'x-warren-queue': queue,
      'x-warren-attempts': 2,
      'x-warren-reason': 'exhausted',
    });
  });

  it('orderBy: workers share the partitions, and keep the order of each key while they are replaced', async () => {
    const seen: { worker: number; customer: string | undefined; n: number }[] = [];
    const running = new Set<string | undefined>();
    let overlaps = 0;
    const customers = Array.from({ length: 12 }, (_, index) => `customer ${index}`);
    const worker = (number: number) =>
      startWorker(
        async (event) => {
          const bodies = bodiesIn(event);
          for (const { customer } of bodies) {
            if (running.has(customer)) overlaps += 1;
            running.add(customer);
          }
          await new Promise((resolve) => setTimeout(resolve, 5));
          for (const { customer, n } of bodies) {
            seen.push({ worker: number, customer, n });
            running.delete(customer);
          }
        },
        { batchSize: 3, concurrency: 2 },
      );
    const workers = [await worker(0), await worker(1)];
    const total = 100;
    for (const n of upTo(total)) for (const customer of customers) send(customer, n);
    await vhost.channel.waitForConfirms();
    const workersSeen = () => new Set(seen.map((each) => each.worker));
    for (let next = 2; next < 4; next += 1) {
      const at = seen.length;
      await expect.poll(() => seen.length, patience).toBeGreaterThan(at);
      workers.push(await worker(next));
      await workers.shift()?.stop();
    }
    await expect.poll(() => seen.length, patience).toBe(total * customers.length);
    for (const customer of customers)
      expect(seen.filter((each) => each.customer === customer).map(({ n }) => n)).toEqual(upTo(total));
    expect(overlaps).toBe(0);
    expect(workersSeen().size).toBeGreaterThan(1);
  }, 60_000);

  it('orderBy: one worker takes all partitions, and hands its surplus over to a second one', async () => {
    const seen = [0, 0];
    const worker = (number: number) =>
      startWorker(async (event) => {
        seen[number] = (seen[number] ?? 0) + bodiesIn(event).length;
      });
    await worker(0);
    const customers = Array.from({ length: 40 }, (_, index) => `customer ${index}`);
    for (const customer of customers) await publish(customer, 0);
    await expect.poll(() => seen[0], patience).toBe(40);
    await worker(1);
    await expect
      .poll(async () => {
        for (const customer of customers) await publish(customer, 1);
        return seen[1];
      }, patience)
      .toBeGreaterThan(0);
  });

  it('orderBy: messages that are published by the name of the queue are in the order of their key as well', async () => {
    const seen: Body[] = [];
    await startWorker(async (event) => void seen.push(...bodiesIn(event)));
    const customers = ['ann', 'bob', 'cid'];
    for (const n of upTo(20)) {
      for (const customer of customers) {
        const content = Buffer.from(JSON.stringify({ customer, n }));
        vhost.channel.sendToQueue(queue, content, { persistent: true, headers: { customer } });
      }
    }
    await vhost.channel.waitForConfirms();
    await expect.poll(() => seen.length, patience).toBe(60);
    for (const customer of customers)
      expect(seen.filter((each) => each.customer === customer).map(({ n }) => n)).toEqual(upTo(20));
  });

  it('orderBy: a long poll feeds the function from all partitions, and the messages of a key are in order', async () => {
    const customers = ['ann', 'bob', 'cid', 'dan'];
    for (const n of upTo(10)) for (const customer of customers) await publish(customer, n);
    const seen: Body[] = [];
    const mapping = {
      functionName: 'fed',
      queue,
      vhost: '/',
      arn: 'arn:test',
      batchSize: 10,
      windowMs: 0,
      order,
    };
    const long = createLongPoll({
      url: vhost.url,
      mappings: [{ ...mapping, invokeAs: 'fed', timeoutMs: 1000 }],
      invoke: () => async (event) => void seen.push(...bodiesIn(event)),
      log: silentLog,
      idleMs: 500,
    });
    const end = performance.now() + 20_000;
    const result = await long({}, { getRemainingTimeInMillis: () => end - performance.now() });
    expect(result).toEqual({ messages: 40, done: true });
    for (const customer of customers)
      expect(seen.filter((each) => each.customer === customer).map(({ n }) => n)).toEqual(upTo(10));
  });

  it('orderBy: a long poll does not end as idle while a message waits for its retry', async () => {
    await publish('ann', 0, 1);
    const seen: number[] = [];
    const mapping = {
      functionName: 'fed',
      queue,
      vhost: '/',
      arn: 'arn:test',
      batchSize: 10,
      windowMs: 0,
      order,
    };
    const policy = { delays: [2], maxAge: 3600 };
    const long = createLongPoll({
      url: vhost.url,
      mappings: [{ ...mapping, policy, invokeAs: 'fed', timeoutMs: 1000 }],
      invoke: () => async (event) => {
        seen.push(...bodiesIn(event).map(({ n }) => n));
        if (seen.length === 1) throw new Error('fails once');
      },
      log: silentLog,
      idleMs: 500,
    });
    const end = performance.now() + 20_000;
    await long({}, { getRemainingTimeInMillis: () => end - performance.now() });
    expect(seen).toEqual([0, 0, 1]);
  });

  it('orderBy: messages without a key have no order, and are handled', async () => {
    const held = gate();
    const done: number[] = [];
    await startWorker(
      async (event) => {
        const [body] = bodiesIn(event);
        if (body?.n === 0) await held.opened;
        done.push(body?.n ?? -1);
      },
      { batchSize: 1 },
    );
    await publish(undefined, 0, 1, 2);
    await expect.poll(() => done, patience).toEqual([1, 2]);
    held.open();
    await expect.poll(() => done, patience).toEqual([1, 2, 0]);
  });
});
