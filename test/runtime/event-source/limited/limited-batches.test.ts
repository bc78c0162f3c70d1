import type { ConsumeMessage } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../runtime/base/log.ts';
import type { EventSource } from '../../../../runtime/event-source/event-source.ts';
import { HostUnavailableError, type Invoke } from '../../../../runtime/event-source/invoke.ts';
import { createMetrics } from '../../../../runtime/hosts/metrics.ts';
import { applyTopology } from '../../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../../runtime/topology/compile.ts';
import { QueueStates } from '../../../../runtime/topology/queue-states.ts';
import { readSection } from '../../../../runtime/topology/schema.ts';
import { limitQueues, type RateLimit } from '../../../../runtime/topology/token-names.ts';
import { compileUsers } from '../../../../runtime/topology/user-rights.ts';
import { applyUsers } from '../../../../runtime/topology/users.ts';
import { management, unique } from '../../../support/broker.ts';
import { cuttable, feeding, messagesIn, patience } from '../../../support/feeding.ts';
import { stack } from '../../../support/stack.ts';
import { openVhost, type TestVhost } from '../../../support/vhost.ts';

const queue = 'texts';
const none = { count: 0, periodMs: 0 };
/** Messages that were handed to the function, in their order, and when by `performance.now`. */
interface Handed {
  n: number;
  at: number;
}

describe('a queue with a limit', () => {
  let vhost: TestVhost;
  let limit: RateLimit;
  let beganAt: number;
  let handed: Handed[];
  const sources: EventSource[] = [];
  const open = async (text: string, settings: object = {}) => {
    const section = { retryDelays: [1], queues: { [queue]: { limit: text } }, ...settings };
    vhost = await openVhost(section);
    [limit = none] = compileTopology(readSection(section)).limited ?? [];
  };
  const apply = async (text: string) => {
    const topology = compileTopology(readSection({ queues: { [queue]: { limit: text } } }));
    await applyTopology(vhost.url, topology);
    [limit = none] = topology.limited ?? [];
  };
  beforeEach(() => {
    beganAt = performance.now();
    handed = [];
  });
  afterEach(async () => {
    await Promise.all(sources.splice(0).map((source) => source.stop()));
    await vhost.close();
  });

  const publish = async (count: number) => {
    for (let n = 0; n < count; n += 1) vhost.channel.sendToQueue(queue, Buffer.from(`${n}`));
    await vhost.channel.waitForConfirms();
  };
  const note: Invoke = async (event) => {
    for (const { body } of messagesIn(event)) handed.push({ n: body as number, at: performance.now() });
  };
  const start = async (invoke: Invoke = note, settings: Parameters<typeof feeding>[2] = {}) => {
    const { count, periodMs } = limit;
    const own = { url: vhost.url, limit: { count, periodMs }, ...settings };
    const source = await feeding(queue, invoke, own);
    sources.push(source);
    return source;
  };
  const numbers = () => new Set(handed.map(({ n }) => n));
  /**
   * Each token may be used again when a period is over. So of any number of workers, however slow, the nth use of a token begins no
   * sooner than n periods after the beginning. A thousandth is for the clocks.
   */
  const expectWithinLimit = () => {
    for (const [index, { at }] of handed.entries()) {
      const earliest = Math.floor(index / limit.count) * limit.periodMs * 0.999;
      expect(at - beganAt, `message ${index + 1}`).toBeGreaterThanOrEqual(earliest);
    }
  };

  it('limit: several workers together hand over at most its number in a period, and every message once', async () => {
    await open('4/second');
    await publish(17);
    for (let n = 0; n < 3; n += 1) await start(note, { batchSize: 2, concurrency: 2 });
    await expect.poll(() => numbers().size, patience).toBe(17);
    expectWithinLimit();
    expect(handed).toHaveLength(17);
  });

  it('limit: a message that waits for it stays in its queue, and is neither a failure, a retry nor a delivery', async () => {
    await open('2/second');
    await publish(9);
    const attempts = new Set<unknown>();
    const invoke: Invoke = async (event) => {
      for (const { attempt, redelivered, headers } of messagesIn(event))
        attempts.add([attempt, redelivered, headers['x-delivery-count']].join());
      await note(event);
    };
    const metrics = createMetrics();
    await start(invoke, { observer: metrics.observer, batchSize: 1 });
    await start(invoke, { batchSize: 1 });
    await expect.poll(() => numbers().size, patience).toBe(9);
    expect([...attempts]).toEqual(['1,false,']);
    const { text } = await metrics.read();
    expect(text).toMatch(/warren_waiting_for_limit\{.*queue="texts".*\} [01]/);
    metrics.close();
    expect(await vhost.count(`${queue}.retry.1s`)).toBe(0);
  });

  it('limit: the messages of a call that fails count again, each with a call of its own', async () => {
    await open('3/second');
    await publish(6);
    let isFirst = true;
    await start(async (event) => {
      await note(event);
      const bodies = messagesIn(event).map(({ body }) => body);
      if (bodies.length > 1 && isFirst) {
        isFirst = false;
        throw new Error('the first call of several fails');
      }
      if (bodies.includes(0) && handed.filter(({ n }) => n === 0).length < 2)
        throw new Error('it fails once');
    });
    await expect.poll(() => handed.filter(({ n }) => n === 0).length, patience).toBeGreaterThan(1);
    await expect.poll(() => numbers().size, patience).toBe(6);
    await expect.poll(() => vhost.count(queue), patience).toBe(0);
    expectWithinLimit();
  });

  it('limit: a worker that waits for it stops at once, and leaves the messages in the queue', async () => {
    await open('1/day');
    await publish(3);
    const source = await start(note, { batchSize: 1 });
    await expect.poll(() => handed.length, patience).toBe(1);
    await source.stop();
    await expect.poll(() => vhost.count(queue), patience).toBe(2);
    const message = await vhost.take(queue);
    expect(message.fields.redelivered).toBe(false);
  });

  it('limit: workers that lose their connections hand over every message, and never more than the limit allows', async () => {
    await open('3/second');
    const path = await cuttable();
    const url = Object.assign(new URL(path.url), { pathname: vhost.name }).href;
    try {
      await publish(12);
      await start(note, { url, batchSize: 2 });
      await start(note, { url, batchSize: 2 });
      for (const part of [3, 6, 9]) {
        await expect.poll(() => numbers().size, patience).toBeGreaterThanOrEqual(part);
        path.cut();
      }
      await expect.poll(() => numbers().size, patience).toBe(12);
      expectWithinLimit();
      await Promise.all(sources.splice(0).map((source) => source.stop()));
      const { tokens } = limitQueues(queue, limit);
      await expect.poll(() => vhost.count(tokens), patience).toBe(3);
    } finally {
      await path.close();
    }
  });

  it('limit: another limit is applied while messages wait, and holds for workers that start with it', async () => {
    await open('2/day');
    await publish(9);
    await start();
    await expect.poll(() => handed.length, patience).toBe(2);
    await apply('4/day');
    await start();
    await expect.poll(() => handed.length, patience).toBe(6);
    expect(await vhost.count(queue)).toBe(3);
    await Promise.all(sources.splice(0).map((source) => source.stop()));
    await apply('2/day');
    await start();
    await apply('3/day');
    await start();
    await expect.poll(() => numbers().size, patience).toBe(9);
    expect(handed).toHaveLength(9);
  });

  it('limit: a worker that does not need its tokens leaves them to the others', async () => {
    await open('3/day');
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const busy = await start(async () => held);
    await publish(1);
    const { tokens } = limitQueues(queue, limit);
    await expect.poll(() => vhost.count(tokens), patience).toBe(2);
    await start();
    await publish(2);
    await expect.poll(() => handed.length, patience).toBe(2);
    release();
    await busy.stop();
  });

  it('limit: a doubled token is removed, and none is lost over many uses', async () => {
    await open('3/second');
    const { tokens, used } = limitQueues(queue, limit);
    const original = await vhost.channel.get(tokens);
    if (!original) throw new Error('expected a token');
    const { messageId } = original.properties;
    vhost.channel.nack(original);
    vhost.channel.sendToQueue(tokens, Buffer.alloc(0), { messageId });
    await vhost.channel.waitForConfirms();
    expect(await vhost.count(tokens)).toBe(4);
    await publish(12);
    await start(note, { batchSize: 1 });
    await expect.poll(() => numbers().size, patience).toBe(12);
    await sources.splice(0)[0]?.stop();
    await expect.poll(() => vhost.count(tokens), patience).toBe(3);
    expect(await vhost.count(used)).toBe(0);
  });

  it('limit: the state of the queue shows it with its free tokens, and the consumers that wait', async () => {
    await open('5/day');
    const section = { queues: { [queue]: { limit: '5/day' } } };
    const topology = compileTopology(readSection(section));
    const states = new QueueStates({ url: vhost.url, topology, name: unique('states') });
    const read = async () => (await states.read()).find((each) => each.queue === queue);
    try {
      expect(await read()).toMatchObject({ consumers: 0, limit: { count: 5, seconds: 86_400, free: 5 } });
      await publish(7);
      await start(note, { concurrency: 2 });
      await expect
        .poll(read, patience)
        .toMatchObject({ ready: 2, consumers: 2, limit: { count: 5, seconds: 86_400, free: 0 } });
    } finally {
      await states.close();
    }
  });

  it('limit: a login that runs the function needs no other right to it', async () => {
    const name = unique('worker');
    const users = { [name]: { functions: ['send'] } };
    await open('100/second', { users });
    const section = readSection({ queues: { [queue]: { limit: '100/second' } }, users });
    const rights = compileUsers(section, { send: { events: [{ rabbitmq: { queue } }] } });
    const managementUrl = stack.AMQP_MANAGEMENT_URL;
    await applyUsers({ managementUrl, vhost: vhost.name, users: rights, passwords: { [name]: 'secret' } });
    try {
      await publish(5);
      const url = Object.assign(new URL(vhost.url), { username: name, password: 'secret' }).href;
      await start(note, { url });
      await expect.poll(() => numbers().size, patience).toBe(5);
    } finally {
      await management('DELETE', `/users/${name}`);
    }
  });

  it('limit: without its tokens at the broker a worker hands over no message, warns once, and begins when they are there', async () => {
    vhost = await openVhost({ queues: { [queue]: {} } });
    limit = { count: 5, periodMs: 86_400_000 };
    await publish(2);
    const lines: unknown[] = [];
    const line = (_: unknown, text?: string) => lines.push(text);
    const consumers: number[] = [];
    await start(note, {
      log: { ...silentLog, info: line, warn: line },
      observer: { consumers: (_, change) => consumers.push(change) },
    });
    expect(await vhost.count(queue)).toBe(2);
    await apply('5/day');
    await expect.poll(() => numbers().size, patience).toBe(2);
    expect(lines.slice(0, 2)).toEqual(['cannot subscribe, retrying', 'consuming']);
    expect(consumers).toEqual([1]);
  });

  it('limit: a call that did not reach the function is made again when the limit allows another one', async () => {
    await open('2/day');
    await publish(2);
    let isFirst = true;
    await start(async (event) => {
      if (!isFirst) return note(event);
      isFirst = false;
      throw new HostUnavailableError('no host');
    });
    await expect.poll(() => handed.length, patience).toBe(1);
    const { used } = limitQueues(queue, limit);
    await expect.poll(() => vhost.count(used), patience).toBe(2);
    expect([handed.length, await vhost.count(queue)]).toEqual([1, 1]);
  });

  it('limit: a queue that was deleted and declared again while its worker waits for a token is consumed again', async () => {
    await open('1/day');
    await start();
    const { tokens } = limitQueues(queue, limit);
    await expect.poll(() => vhost.count(tokens), patience).toBe(0);
    const taken: ConsumeMessage[] = [];
    const { consumerTag } = await vhost.channel.consume(tokens, (token) => token && taken.push(token));
    await vhost.channel.deleteQueue(queue);
    await expect.poll(() => taken.length, patience).toBe(1);
    await vhost.channel.cancel(consumerTag);
    await apply('1/day');
    await publish(2);
    for (const token of taken) vhost.channel.nack(token);
    await expect.poll(() => handed.length, patience).toBe(1);
    await expect.poll(() => vhost.count(queue), patience).toBe(1);
  });

  it('limit: a worker uses no tokens of a limit that was deleted, because the next apply does not know of them', async () => {
    await open('2/day');
    await start(note, { batchSize: 1 });
    const { tokens, used, consumers } = limitQueues(queue, limit);
    await expect.poll(() => vhost.count(tokens), patience).toBe(1);
    await vhost.channel.deleteQueue(consumers);
    await expect.poll(() => vhost.count(tokens), patience).toBe(2);
    await publish(2);
    await apply('2/day');
    await expect.poll(() => vhost.count(used), patience).toBe(2);
    expect([handed.length, await vhost.count(queue)]).toEqual([0, 2]);
  });
});
