import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import type { Mapping } from '../../../runtime/event-source/mapping.ts';
import { inProcess } from '../../../runtime/hosts/in-process.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import type { Message } from '../../../runtime/messages/received.ts';
import { recordingPublisher } from '../../../runtime/testing/recording-publisher.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { retryExchange, retryQueue } from '../../../runtime/topology/names.ts';
import { applyRetryPolicies } from '../../../runtime/topology/retry-policies.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { dropLetters, management, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { isAtLeast } from '../../support/broker-version.ts';
import { feeding, patience } from '../../support/feeding.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
/** Whether the broker of this run can keep a message back in its queue. Without, the same messages are retried by copies. */
let canDelay: boolean;
const cleanups: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  broker = await openBroker();
  canDelay = isAtLeast(broker, '4.3.1');
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => broker.close());

const sectionOf = (queue: string, retryDelays: readonly number[], retryInQueue = true) =>
  readSection({ retryInQueue, retryDelays, queues: { [queue]: {} } });

/** A work queue, and a queue that gets another copy of each message that is published to its retry queues. */
async function workQueue(delays: readonly number[], { retryInQueue = true, policies = true } = {}) {
  const queue = unique('delayed');
  const topology = compileTopology(sectionOf(queue, delays, retryInQueue));
  await applyTopology(stack.AMQP_URL, topology);
  const copies = await broker.queue('copies', {});
  for (const seconds of delays) {
    await broker.channel.bindQueue(copies, retryExchange, retryQueue(queue, seconds));
  }
  cleanups.push(async () => {
    await broker.channel.deleteQueue(queue);
    for (const seconds of delays) await broker.channel.deleteQueue(retryQueue(queue, seconds));
    if (canDelay && policies) await management('DELETE', `/policies/%2F/warren.retry.${queue}`);
  });
  if (policies && retryInQueue) await setPolicies(queue, delays);
  return { queue, copies };
}

async function setPolicies(queue: string, delays: readonly number[]): Promise<void> {
  const { AMQP_URL: url, AMQP_MANAGEMENT_URL: managementUrl } = stack;
  await applyRetryPolicies(compileTopology(sectionOf(queue, delays)), { url, managementUrl });
}

interface Delivery {
  body: number;
  attempt: number;
  at: number;
  headers: Record<string, unknown>;
}

/** Feeds a handler as a worker does, and returns what it received. The function's own publisher must not be needed. */
async function feed(
  queue: string,
  delays: readonly number[],
  handle: (message: Message<number>) => unknown,
  mapping: Partial<Mapping> & { log?: typeof silentLog } = {},
): Promise<Delivery[]> {
  const seen: Delivery[] = [];
  const policy = { delays, maxAge: 3600 };
  const handler = onMessages<number>(
    { publisher: recordingPublisher(), policy, log: silentLog },
    async (message) => {
      const { body, attempt, headers } = message;
      seen.push({ body, attempt, headers, at: performance.now() });
      await handle(message);
    },
  );
  const invoke = inProcess({ functionName: 'delayed', load: async () => handler, timeoutMs: 20_000 });
  // A fixed prefetch, because the broker counts a message that it takes back from a canceled consumer as returned.
  const fixed = { singleActiveConsumer: true };
  const source = await feeding(queue, invoke, { policy, retryInQueue: true, ...fixed, ...mapping });
  cleanups.push(() => source.stop({ deadlineMs: 5000 }));
  return seen;
}

/** Fails each message at its first attempts. */
const failing = (attempts: number) => (message: Message<number>) => {
  if (message.attempt <= attempts) throw new Error(`attempt ${message.attempt}`);
};

const empty = async (queue: string) => (await broker.count(queue)) === 0;

describe('retries in the queue', () => {
  it('retries in the queue: the first retry of 20 messages comes after its delay, and no copy is published', async () => {
    const delays = [1, 10];
    const { queue, copies } = await workQueue(delays);
    const seen = await feed(queue, delays, failing(1));
    for (let n = 0; n < 20; n += 1) await broker.send(queue, n, { messageId: `m-${n}` });
    await expect.poll(() => seen.length, patience).toBe(40);
    for (let n = 0; n < 20; n += 1) {
      const [first, second] = seen.filter(({ body }) => body === n) as [Delivery, Delivery];
      expect([first.attempt, second.attempt]).toEqual([1, 2]);
      expect(second.at - first.at).toBeGreaterThan(900);
      // Neither a delivery that the broker's limit counts, nor a header that a copy adds.
      expect(second.headers).not.toHaveProperty('x-delivery-count');
      expect('x-warren-copy' in second.headers).toBe(!canDelay);
    }
    await expect.poll(() => empty(queue), patience).toBe(true);
    expect(await broker.count(copies)).toBe(canDelay ? 0 : 20);
    expect(await broker.count(retryQueue(queue, 1))).toBe(0);
  }, 40_000);

  it('retries in the queue: a message that always fails has each delay once, with its attempts counted over both kinds', async () => {
    const delays = [1, 2];
    const { queue, copies } = await workQueue(delays);
    const seen = await feed(queue, delays, failing(Number.POSITIVE_INFINITY));
    await broker.send(queue, 1, { messageId: unique('m') });
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter).toMatchObject({ queue, attempts: 3, reason: 'exhausted', error: 'Error: attempt 3' });
    expect(seen.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    const [first, second, third] = seen as [Delivery, Delivery, Delivery];
    expect(second.at - first.at).toBeGreaterThan(900);
    expect(third.at - second.at).toBeGreaterThan(1900);
    const taken = await broker.drain(copies);
    const attempts = taken.map(({ properties }) => properties.headers?.['x-warren-attempts'] as number);
    expect(attempts).toEqual(canDelay ? [2] : [1, 2]);
    expect(taken.at(-1)?.properties.headers).toMatchObject({ 'x-warren-faults': 2 });
  }, 40_000);

  it('retries in the queue: equal delays all wait in the queue, and a longer one is a copy', async () => {
    const delays = [1, 1, 1, 2];
    const { queue, copies } = await workQueue(delays);
    const seen = await feed(queue, delays, failing(4));
    await broker.send(queue, 1, { messageId: 'm' });
    await expect.poll(() => seen.length, patience).toBe(5);
    expect(seen.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
    await expect.poll(() => empty(queue), patience).toBe(true);
    expect(await broker.count(copies)).toBe(canDelay ? 1 : 4);
  }, 40_000);

  it('retries in the queue: without the policy a message comes back once without its delay, and then copies are used', async () => {
    const delays = [1, 2];
    const { queue, copies } = await workQueue(delays, { policies: false });
    const warnings: unknown[] = [];
    const log = { ...silentLog, warn: (fields: unknown) => warnings.push(fields) };
    const seen = await feed(queue, delays, failing(2), { log });
    await broker.send(queue, 1, { messageId: 'm-1' });
    await expect.poll(() => seen.length, patience).toBe(3);
    expect(seen.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    // Its second retry has its delay, so that the message does not circulate.
    expect((seen[2] as Delivery).at - (seen[1] as Delivery).at).toBeGreaterThan(1900);
    expect(seen[2]?.headers).not.toHaveProperty('x-delivery-count');
    expect(await broker.count(copies)).toBe(canDelay ? 1 : 2);
    if (canDelay) expect(warnings).toContainEqual({ queue, ms: expect.any(Number), expectedMs: 1000 });

    await broker.drain(copies);
    await broker.send(queue, 2, { messageId: 'm-2' });
    await expect.poll(() => seen.length, patience).toBe(6);
    await expect.poll(() => empty(queue), patience).toBe(true);
    expect(await broker.count(copies)).toBe(2);
  }, 40_000);

  it('retries in the queue: queues that were declared before are taken over by policy, with the messages in their retry queues', async () => {
    const delays = [1, 10];
    const { queue, copies } = await workQueue(delays, { retryInQueue: false });
    const before = await management<{ arguments: object }>('GET', `/queues/%2F/${queue}`);
    // A copy that an earlier version published, and its work queue as that version declared it.
    const headers = { 'x-warren-attempts': 1, 'x-warren-faults': 1, 'x-warren-queue': queue };
    await broker.publish(retryExchange, retryQueue(queue, 1), 1, { messageId: 'old', headers });
    await broker.send(queue, 2, { messageId: 'waiting' });
    await broker.drain(copies);

    await applyTopology(stack.AMQP_URL, compileTopology(sectionOf(queue, delays)));
    await setPolicies(queue, delays);
    const seen = await feed(queue, delays, failing(1));
    await expect.poll(() => seen.length, patience).toBe(3);
    const attemptsOf = (n: number) => seen.filter(({ body }) => body === n).map(({ attempt }) => attempt);
    expect([attemptsOf(1), attemptsOf(2)]).toEqual([[2], [1, 2]]);
    await expect.poll(() => empty(queue), patience).toBe(true);
    expect(await broker.count(copies)).toBe(canDelay ? 0 : 1);
    expect(await management('GET', `/queues/%2F/${queue}`)).toMatchObject({ arguments: before.arguments });
  }, 40_000);

  it('retries in the queue: deliveries that were lost or rejected are not taken for retries', async () => {
    const delays = [1, 10];
    const { queue } = await workQueue(delays);
    await broker.send(queue, 1, { messageId: 'm' });
    for (let n = 0; n < 3; n += 1) {
      await expect
        .poll(async () => {
          const message = await broker.channel.get(queue, { noAck: false });
          if (message) broker.channel.reject(message, true);
          return message !== false;
        }, patience)
        .toBe(true);
    }
    const seen = await feed(queue, delays, () => undefined);
    await expect.poll(() => seen.length, patience).toBe(1);
    expect(seen[0]).toMatchObject({ attempt: 1, headers: { 'x-delivery-count': 3 } });
  }, 40_000);
});
