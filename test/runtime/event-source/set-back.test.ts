import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FunctionFailedError, HostUnavailableError } from '../../../runtime/event-source/invoke.ts';
import { retryExchange, retryQueue } from '../../../runtime/topology/names.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { cuttable, feeding, messagesIn, patience } from '../../support/feeding.ts';

let broker: TestBroker;
const cleanups: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  broker = await openBroker();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => broker.close());

/** A work queue whose dead letters a test can count: its own, because other tests use the common one. */
const watchedQueue = async (limit = 20): Promise<{ queue: string; dead: string }> => {
  const dead = await broker.queue('dead', {});
  const queue = await broker.queue('watched', {
    'x-queue-type': 'quorum',
    'x-delivery-limit': limit,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': dead,
  });
  const retry = retryQueue(queue, 1);
  await broker.channel.assertQueue(retry, {
    durable: true,
    arguments: { 'x-message-ttl': 1000, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': queue },
  });
  await broker.channel.bindQueue(retry, retryExchange, retry);
  return { queue, dead };
};

/** Takes the only message of a queue and returns it, which the broker counts as deliveries. */
const returnTimes = async (queue: string, times: number): Promise<void> => {
  for (let n = 0; n < times; n += 1) {
    await expect
      .poll(async () => {
        const message = await broker.channel.get(queue, { noAck: false });
        if (message) broker.channel.reject(message, true);
        return message !== false;
      }, patience)
      .toBe(true);
  }
};

const unavailable = () => new HostUnavailableError('no host');

describe('a message that no call has reached', () => {
  it('25 starts and stops while the host is unavailable do not dead-letter a message, and it is called afterward', async () => {
    const { queue, dead } = await watchedQueue();
    await broker.send(queue, 'm0', { messageId: 'm0', headers: { 'x-own': 'value' }, expiration: '3600000' });
    for (let n = 0; n < 25; n += 1) {
      let calls = 0;
      const source = await feeding(queue, async () => {
        calls += 1;
        throw unavailable();
      });
      await expect.poll(() => calls, patience).toBeGreaterThan(0);
      await source.stop();
    }
    const seen: ReturnType<typeof messagesIn> = [];
    const source = await feeding(queue, async (event) => void seen.push(...messagesIn(event)));
    cleanups.push(() => source.stop());
    await expect.poll(() => seen.length, patience).toBe(1);
    // It was set back once at least, and its function does not see that as an attempt.
    expect(seen[0]).toMatchObject({ body: 'm0', messageId: 'm0', attempt: 1, headers: { 'x-own': 'value' } });
    expect(seen[0]?.headers).not.toHaveProperty('x-warren-first-failed-at');
    expect(seen[0]?.headers['x-delivery-count'] ?? 0).toBeLessThan(20);
    expect(await broker.count(dead)).toBe(0);
  }, 120_000);

  it.each([10, 20])(
    'a message with %i deliveries is set back while the host is unavailable, and is called afterward',
    async (deliveries) => {
      const { queue, dead } = await watchedQueue();
      await broker.send(queue, 'm0');
      await returnTimes(queue, deliveries);
      const counts: unknown[] = [];
      const source = await feeding(queue, async (event) => {
        const [message] = messagesIn(event);
        counts.push(message?.headers['x-delivery-count'] ?? 0);
        if (counts.length === 1) throw unavailable();
      });
      cleanups.push(() => source.stop());
      await expect.poll(() => counts, patience).toEqual([deliveries, 0]);
      expect(await broker.count(dead)).toBe(0);
    },
  );

  it('connections that are lost while the host is unavailable do not dead-letter a message', async () => {
    const { queue, dead } = await watchedQueue();
    const { url, cut, close } = await cuttable();
    cleanups.push(close);
    await broker.send(queue, 'm0');
    await returnTimes(queue, 18);
    let calls = 0;
    const reached: unknown[] = [];
    const source = await feeding(
      queue,
      async (event) => {
        calls += 1;
        if (calls > 4) return void reached.push(...messagesIn(event).map(({ body }) => body));
        if (calls > 1) cut();
        throw unavailable();
      },
      { url },
    );
    cleanups.push(() => source.stop());
    await expect.poll(() => reached, patience).toEqual(['m0']);
    expect(await broker.count(dead)).toBe(0);
  });

  it('a message that is prefetched behind one whose calls lose the connection is called, and is not dead-lettered', async () => {
    const { queue, dead } = await watchedQueue();
    const { url, cut, close } = await cuttable();
    cleanups.push(close);
    const counts = new Map<unknown, number>();
    const source = await feeding(
      queue,
      async (event) => {
        for (const { body, headers } of messagesIn(event)) {
          counts.set(body, Number(headers['x-delivery-count'] ?? 0));
          if (body === 'cuts') cut();
        }
      },
      { url, batchSize: 2 },
    );
    cleanups.push(() => source.stop());
    await broker.send(queue, 'first');
    await expect.poll(() => counts.size, patience).toBe(1);
    await Promise.all(['cuts', 'm1', 'm2'].map((body) => broker.send(queue, body)));
    await expect.poll(() => broker.count(dead), { ...patience, timeout: 60_000 }).toBe(1);
    await expect.poll(() => counts.has('m1') && counts.has('m2'), patience).toBe(true);
    expect((await broker.take(dead)).content.toString()).toBe('"cuts"');
    expect(Math.max(counts.get('m1') ?? 99, counts.get('m2') ?? 99)).toBeLessThan(5);
  }, 90_000);

  it('a long outage returns all messages but one, each with one delivery more', async () => {
    const { queue } = await watchedQueue();
    let available = true;
    const seen: unknown[] = [];
    const counts: number[] = [];
    let largest = 0;
    const source = await feeding(queue, async (event) => {
      if (!available) throw unavailable();
      const messages = messagesIn(event);
      largest = Math.max(largest, messages.length);
      for (const { body, headers } of messages) {
        seen.push(body);
        counts.push(Number(headers['x-delivery-count'] ?? 0));
      }
    });
    cleanups.push(() => source.stop());
    const ten = Array.from({ length: 10 }, (_, n) => n);
    let sent = 0;
    while (largest < ten.length) {
      await Promise.all(ten.map((n) => broker.send(queue, n)));
      sent += ten.length;
      await expect.poll(() => seen.length, patience).toBe(sent);
    }
    available = false;
    await Promise.all(ten.map((n) => broker.send(queue, n)));
    // All of them are prefetched at first; then only one is held.
    await expect.poll(() => broker.count(queue), patience).toBe(0);
    await expect.poll(() => broker.count(queue), patience).toBe(9);
    available = true;
    await expect.poll(() => seen.length, patience).toBe(sent + ten.length);
    expect(Math.max(...counts)).toBeLessThanOrEqual(2);
  }, 60_000);

  it('a message that was called keeps its count, so that one that ends its host is dead-lettered', async () => {
    const { queue, dead } = await watchedQueue(3);
    const { url, cut, close } = await cuttable();
    cleanups.push(close);
    await broker.send(queue, 'ends its host');
    const source = await feeding(
      queue,
      async () => {
        cut();
        throw new FunctionFailedError('ended');
      },
      { url },
    );
    cleanups.push(() => source.stop());
    await expect.poll(() => broker.count(dead), patience).toBe(1);
  });
});
