import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EventSource } from '../../../runtime/event-source/event-source.ts';
import { HostUnavailableError, type Invoke } from '../../../runtime/event-source/invoke.ts';
import type { Mapping } from '../../../runtime/event-source/mapping.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { feeding, messagesIn, patience } from '../../support/feeding.ts';

describe('expired messages', () => {
  let broker: TestBroker;
  const sources: EventSource[] = [];
  beforeAll(async () => {
    broker = await openBroker();
  });
  afterEach(async () => {
    await Promise.all(sources.splice(0).map((each) => each.stop()));
  });
  afterAll(() => broker.close());

  type Work = (bodies: unknown[]) => unknown;

  /** Feeds a function. @returns the bodies of each call. */
  const feed = async (queue: string, work: Work, mapping: Partial<Mapping> = {}): Promise<unknown[][]> => {
    const calls: unknown[][] = [];
    const invoke: Invoke = async (event) => {
      const bodies = messagesIn(event).map(({ body }) => body);
      calls.push(bodies);
      return work(bodies);
    };
    sources.push(await feeding(queue, invoke, { windowMs: 0, ...mapping }));
    return calls;
  };
  const passed = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const expiration = '300';

  it('a message that expires while it waits for the call before it is acknowledged and not called', async () => {
    const queue = await broker.queue();
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const calls = await feed(queue, ([body]) => (body === 'slow' ? released : undefined), { batchSize: 1 });
    // From the second call on, the consumer prefetches.
    for (const body of ['first', 'second', 'slow']) await broker.send(queue, body);
    await expect.poll(() => calls.length, patience).toBe(3);
    await broker.send(queue, 'short', { expiration });
    await broker.send(queue, 'last');
    await expect.poll(() => broker.count(queue), patience).toBe(0);
    await passed(400);
    release();
    await expect.poll(() => calls.length, patience).toBe(4);
    expect(calls.flat()).toEqual(['first', 'second', 'slow', 'last']);
  });

  it('a message that expires while the host is unavailable is not called, and its neighbors are', async () => {
    const queue = await broker.queue();
    let unavailable = false;
    const calls = await feed(queue, () => {
      if (unavailable) throw new HostUnavailableError('no host');
    });
    for (const body of ['first', 'second']) {
      await broker.send(queue, body);
      await expect.poll(() => calls.length, patience).toBeGreaterThan(0);
    }
    await expect.poll(() => calls.flat(), patience).toEqual(['first', 'second']);
    unavailable = true;
    const start = calls.length;
    broker.channel.sendToQueue(queue, Buffer.from('"short"'), { expiration: '700' });
    await broker.send(queue, 'last');
    await expect.poll(() => calls.slice(start).some((each) => each.includes('short')), patience).toBe(true);
    await passed(800);
    unavailable = false;
    const end = calls.length;
    await expect.poll(() => calls.slice(end).flat(), patience).toEqual(['last']);
    await expect.poll(() => broker.count(queue), patience).toBe(0);
  });

  it('a plain function is not called with a copy that returns from its retry after the message has expired', async () => {
    const queue = await broker.queue();
    const calls = await feed(queue, ([body]) => {
      if (body === 'short' || calls.length < 3) throw new Error('fails');
    });
    await broker.send(queue, 'short', { expiration });
    await expect.poll(() => calls.length, patience).toBe(1);
    // It fails later, so that its retry returns later too.
    await broker.send(queue, 'last');
    await expect.poll(() => calls, patience).toEqual([['short'], ['last'], ['last']]);
  });
});
