import { type ChannelModel, connect, type GetMessage } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { joinTable } from '../../../runtime/amqp/field-table.ts';
import { withRawHeaders } from '../../../runtime/amqp/raw-headers.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import type { Mapping } from '../../../runtime/event-source/mapping.ts';
import { inProcess } from '../../../runtime/hosts/in-process.ts';
import type { HandlerContext } from '../../../runtime/messages/handler-context.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import type { Message } from '../../../runtime/messages/received.ts';
import { recordingPublisher } from '../../../runtime/testing/recording-publisher.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { management, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';
import { fieldsOf, wireFields } from '../../support/wire-fields.ts';

const patience = { timeout: 15_000, interval: 50 };

describe('verdicts', () => {
  let broker: TestBroker;
  const cleanups: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    broker = await openBroker();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  afterAll(() => broker.close());

  interface Settings {
    mapping?: Partial<Mapping>;
    delays?: readonly number[];
    timeoutMs?: number;
  }
  type Handle = (message: Message<number>, context: HandlerContext) => Promise<unknown>;

  /** Feeds a handler from a queue as a worker does. The function's own publisher must not be needed. */
  const feed = async (queue: string, handle: Handle, settings: Settings = {}) => {
    const { mapping = {}, delays = [1], timeoutMs = 20_000 } = settings;
    const own = recordingPublisher();
    const handler = onMessages({ schema: z.number(), publisher: own, policy: { delays } }, handle);
    const source = new EventSource({
      url: stack.AMQP_URL,
      mappings: [
        {
          functionName: 'verdicts',
          queue,
          vhost: '/',
          arn: 'arn',
          batchSize: 10,
          windowMs: 100,
          ...mapping,
        },
      ],
      invoke: () => inProcess({ functionName: 'verdicts', load: async () => handler, timeoutMs }),
      log: silentLog,
    });
    await source.start();
    cleanups.push(() => source.stop({ deadlineMs: 2000 }));
    return { source, own };
  };
  /** Sends full batches until the prefetch, which doubles with each of them, is more than a batch of ten. */
  const warmUp = async (queue: string, seen: number[]) => {
    for (const size of [1, 2, 4, 8]) {
      for (let n = 0; n < size; n += 1) await broker.send(queue, 0);
      await expect.poll(() => seen.length, patience).toBe(size);
      seen.length = 0;
    }
  };

  it('verdicts: the neighbors of a message whose copy cannot be made run once', async () => {
    const queue = await broker.queue();
    const seen: number[] = [];
    const handle: Handle = async ({ body }) => {
      seen.push(body);
      if (body === 5) throw new Error('fails');
    };
    // No retry queue has this delay.
    await feed(queue, handle, { delays: [86_399] });
    await warmUp(queue, seen);
    for (let n = 1; n <= 10; n += 1) await broker.send(queue, n);
    await expect.poll(() => seen.length, patience).toBe(10);
    // Copies are tried for several seconds meanwhile.
    const home = await broker.queue('home', {});
    await broker.channel.bindQueue(home, 'warren.retry', `${queue}.retry.86399s`);
    const copy = await broker.take(home, 30_000);
    expect(JSON.parse(copy.content.toString())).toBe(5);
    expect(copy.properties.headers).toMatchObject({ 'x-warren-attempts': 1, 'x-warren-faults': 1 });
    expect(seen.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await expect.poll(() => broker.count(queue), patience).toBe(0);
  }, 60_000);

  it('verdicts: a message whose copy cannot be made does not hold up the messages behind it', async () => {
    const queue = await broker.queue();
    const seen: number[] = [];
    const handle: Handle = async ({ body }) => {
      seen.push(body);
      if (body < 0) throw new Error('fails');
    };
    // No retry queue has this delay.
    const { source } = await feed(queue, handle, { delays: [86_398], mapping: { batchSize: 2 } });
    for (const n of [-1, 1, 2, -2, 3, 4]) await broker.send(queue, n);
    await expect.poll(() => seen.length, patience).toBe(6);
    expect(seen.toSorted((a, b) => a - b)).toEqual([-2, -1, 1, 2, 3, 4]);
    // The two wait for their copies at the broker, and go back when the host stops.
    await source.stop();
    await expect.poll(() => broker.count(queue), patience).toBe(2);
    expect(seen).toHaveLength(6);
  }, 60_000);

  it('verdicts: a stop returns a message without its copy, and not the one behind it that is done then', async () => {
    const queue = await broker.queue();
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const seen: number[] = [];
    const handle: Handle = async ({ body }) => {
      seen.push(body);
      if (body === 1) throw new Error('fails');
      if (body === 2) await released;
    };
    // No retry queue has this delay.
    const { source } = await feed(queue, handle, { delays: [86_397], mapping: { batchSize: 1 } });
    for (const n of [1, 2]) await broker.send(queue, n);
    await expect.poll(() => seen, patience).toEqual([1, 2]);
    const stopped = source.stop();
    await expect.poll(() => broker.count(queue), patience).toBe(1);
    release();
    await stopped;
    const left = await broker.drain(queue);
    expect(left.map(({ content }) => content.toString())).toEqual(['1']);
  }, 60_000);

  it('verdicts: a message that hangs is retried without its neighbors, and does not count as a crash', async () => {
    const queue = await broker.queue();
    const seen: number[] = [];
    const signals: AbortSignal[] = [];
    const handle: Handle = async ({ body, attempt }, { signal }) => {
      seen.push(body);
      if (body !== 2 || attempt > 1) return;
      signals.push(signal);
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    await feed(queue, handle, { timeoutMs: 1000 });
    await warmUp(queue, seen);
    for (const n of [1, 2, 3]) await broker.send(queue, n);
    // The second run of the message is the one after the delay of 1 s.
    await expect.poll(() => seen.filter((n) => n === 2).length, patience).toBe(2);
    expect(seen.toSorted()).toEqual([1, 2, 2, 3]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    await expect.poll(() => broker.count(queue), patience).toBe(0);
  });

  it('verdicts: headers keep their values and types over a retry', async () => {
    const queue = await broker.queue();
    const connection = new BrokerConnection({ url: stack.AMQP_URL, name: 'raw' });
    cleanups.push(() => connection.close());
    const channel = await connection.confirmChannel();
    const attempts: number[] = [];
    const { own } = await feed(queue, async ({ attempt }) => {
      attempts.push(attempt);
      if (attempt === 1) throw new Error('fails');
      throw new Error('fails again');
    });
    withRawHeaders(channel, joinTable(wireFields), () =>
      channel.publish('', queue, Buffer.from('1'), { headers: {}, contentType: 'application/json' }),
    );
    await channel.waitForConfirms();
    await expect.poll(() => attempts, patience).toEqual([1, 2]);
    // The second failure is dead-lettered.
    let dead: GetMessage | false = false;
    const find = async () => {
      for (;;) {
        const next = await channel.get('warren.dead-letters');
        if (!next) return false;
        if (next.fields.routingKey === queue) dead = next;
        if (dead) return true;
      }
    };
    await expect.poll(find, patience).toBe(true);
    const { properties } = dead as unknown as GetMessage;
    const found = fieldsOf({ properties });
    for (const field of wireFields) expect(found).toContainEqual(field);
    expect(properties.headers).toMatchObject({ 'x-warren-attempts': 2, 'x-warren-queue': queue });
    channel.ack(dead as unknown as GetMessage);
    expect(own.published).toEqual([]);
  });

  it('verdicts: a copy stays in the vhost of its message', async () => {
    const vhost = unique('vhost');
    await management('PUT', `/vhosts/${vhost}`);
    await management('PUT', `/permissions/${vhost}/${new URL(stack.AMQP_URL).username}`, {
      configure: '.*',
      write: '.*',
      read: '.*',
    });
    cleanups.push(() => management('DELETE', `/vhosts/${vhost}`));
    const url = Object.assign(new URL(stack.AMQP_URL), { pathname: `/${vhost}` }).href;
    const section = readSection({ queues: { orders: {} }, retryDelays: [1] });
    await applyTopology(url, compileTopology(section));
    const model: ChannelModel = await connect(url);
    cleanups.push(() => model.close());
    const channel = await model.createConfirmChannel();
    const attempts: number[] = [];
    const { source } = await feed(
      'orders',
      async ({ attempt }) => {
        attempts.push(attempt);
        throw new Error('fails');
      },
      { mapping: { vhost } },
    );
    channel.sendToQueue('orders', Buffer.from('7'), { contentType: 'application/json' });
    await channel.waitForConfirms();
    await expect.poll(() => attempts, patience).toEqual([1, 2]);
    await expect
      .poll(async () => (await channel.checkQueue('warren.dead-letters')).messageCount, patience)
      .toBe(1);
    await source.stop();
  });

  it('verdicts: a message that has expired is not handled when it returns from a retry', async () => {
    const queue = await broker.queue();
    const seen: number[][] = [];
    await feed(queue, async ({ body, attempt }) => {
      seen.push([body, attempt]);
      throw new Error('fails');
    });
    await broker.send(queue, 1, { contentType: 'application/json', expiration: '500' });
    await expect.poll(() => seen, patience).toEqual([[1, 1]]);
    // It fails later and never expires: its retry returns after that of the first one would.
    await broker.send(queue, 2);
    await expect.poll(() => seen, patience).toContainEqual([2, 2]);
    expect(seen).toEqual([
      [1, 1],
      [2, 1],
      [2, 2],
    ]);
  });
});
