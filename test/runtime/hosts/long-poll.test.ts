import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createLongPoll,
  type LongPollOptions,
  mappingsVariable,
  type PolledMapping,
  readPolledMappings,
  writePolledMappings,
} from '../../../runtime/hosts/long-poll.ts';
import type { RabbitMQEvent } from '../../../runtime/messages/event.ts';
import { readEvent } from '../../../runtime/messages/received.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

describe('a long poll', () => {
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await openBroker();
  });
  afterAll(() => broker.close());

  const mappingOf = (queue: string, given: Partial<PolledMapping> = {}): PolledMapping => ({
    functionName: 'work',
    invokeAs: 'warren-dev-work',
    queue,
    vhost: '/',
    arn: 'arn:test',
    batchSize: 10,
    windowMs: 0,
    timeoutMs: 5000,
    concurrency: 1,
    ...given,
  });
  const poll = (
    mappings: PolledMapping[],
    invoke: LongPollOptions['invoke'],
    given: Partial<LongPollOptions> = {},
  ) => createLongPoll({ url: stack.AMQP_URL, mappings, invoke, idleMs: 500, reserveMs: 1000, ...given });
  /** Lambda's clock. */
  const withTime = (ms: number) => {
    const end = performance.now() + ms;
    return { getRemainingTimeInMillis: () => end - performance.now() };
  };

  it('functions are fed until their queues are empty, and the result has the number of messages', async () => {
    const [one, other] = [await broker.queue(), await broker.queue()];
    for (let n = 0; n < 25; n += 1) await broker.send(n % 2 ? one : other, n);
    const seen = new Map<string, number>();
    const invoke: LongPollOptions['invoke'] =
      ({ invokeAs }) =>
      async (event: RabbitMQEvent) => {
        seen.set(invokeAs, (seen.get(invokeAs) ?? 0) + readEvent(event).length);
      };
    const mappings = [mappingOf(one, { invokeAs: 'one' }), mappingOf(other, { invokeAs: 'other' })];
    const result = await poll(mappings, invoke)({}, withTime(20_000));
    expect(result).toEqual({ messages: 25, done: true });
    expect(Object.fromEntries(seen)).toEqual({ one: 12, other: 13 });
    expect([await broker.count(one), await broker.count(other)]).toEqual([0, 0]);
  });

  it('a long poll ends in time, and the other messages stay in the queue', async () => {
    const queue = await broker.queue();
    for (let n = 0; n < 50; n += 1) await broker.send(queue, n);
    const slow = () => () => new Promise<void>((resolve) => setTimeout(resolve, 200));
    const time = withTime(5000);
    const result = await poll([mappingOf(queue, { batchSize: 1 })], slow, { reserveMs: 3000 })({}, time);
    expect(result.done).toBe(true);
    expect(time.getRemainingTimeInMillis()).toBeGreaterThan(0);
    expect(result.messages).toBeGreaterThan(2);
    expect(result.messages).toBeLessThan(25);
    await expect.poll(() => broker.count(queue)).toBe(50 - result.messages);
  });

  it('a long poll takes no message if the rest of its time is shorter than the longest call', async () => {
    const queue = await broker.queue();
    for (let n = 0; n < 50; n += 1) await broker.send(queue, n);
    const slow = () => () => new Promise<void>((resolve) => setTimeout(resolve, 200));
    const time = withTime(12_000);
    const mappings = [mappingOf(queue, { batchSize: 1, timeoutMs: 4000 })];
    const long = createLongPoll({ url: stack.AMQP_URL, mappings, invoke: slow, idleMs: 500 });
    expect(await long({}, time)).toMatchObject({ done: true });
    // At most half of its time: if a call may take longer than that, it would otherwise take no message at all.
    expect(time.getRemainingTimeInMillis()).toBeGreaterThan(5000);
    await expect.poll(() => broker.count(queue)).toBeGreaterThan(10);
  });

  it('the result reports a call that did not end in time, and its messages go back', async () => {
    const queue = await broker.queue();
    await broker.send(queue, 1);
    const stuck = () => () => new Promise<void>(() => undefined);
    expect(await poll([mappingOf(queue)], stuck)({}, withTime(3000))).toEqual({ messages: 0, done: false });
    await expect.poll(() => broker.count(queue), { timeout: 10_000 }).toBe(1);
  });

  it('the mappings that the plugin wrote are read', () => {
    const mappings = [
      mappingOf('critical', { filterPatterns: [{ data: { a: [1] } }], concurrency: 2 }),
      mappingOf('alert-log', { vhost: 'other', batchSize: 100, windowMs: 500 }),
      mappingOf('add-points', { arn: 'arn:other', order: { by: 'header.user', partitions: 4 } }),
    ];
    const text = writePolledMappings(mappings);
    expect(readPolledMappings({ [mappingsVariable]: text })).toEqual(mappings);
    expect(text.match(/arn:test/g)).toHaveLength(1);
    const [, { functionName, invokeAs, queue, vhost, timeoutMs }] = mappings as [
      PolledMapping,
      PolledMapping,
    ];
    expect(JSON.parse(text)).toMatchObject([{}, { functionName, invokeAs, queue, vhost, timeoutMs }, {}]);
    expect(text).not.toContain('"windowMs":500');
    expect(() => readPolledMappings({})).toThrow('custom.warren.longPoll');
    expect(() => readPolledMappings({ [mappingsVariable]: '[{}]' })).toThrow('0.functionName: ');
  });
});
