import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import type { Mapping } from '../../../runtime/event-source/mapping.ts';
import type { RabbitMQEvent } from '../../../runtime/messages/event.ts';
import { readEvent } from '../../../runtime/messages/received.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
beforeAll(async () => {
  broker = await openBroker();
});
afterAll(() => broker.close());

/** A quorum queue counts a consumer for a moment longer than its channel lives. */
const consumersOf = async (queue: string) => (await broker.channel.checkQueue(queue)).consumerCount;

const mappingOf = (functionName: string, queue: string, vhost = '/'): Mapping => ({
  functionName,
  queue,
  vhost,
  arn: 'arn:test',
  batchSize: 10,
  windowMs: 10,
});

describe('an event source', () => {
  it('feeds each function from its queue, and stops them all', async () => {
    const [a, b] = [await broker.queue(), await broker.queue()];
    const seen: string[] = [];
    const source = new EventSource({
      url: stack.AMQP_URL,
      mappings: [mappingOf('first', a), mappingOf('second', b)],
      invoke:
        ({ functionName }) =>
        async (event: RabbitMQEvent) => {
          for (const { queue } of readEvent(event)) seen.push(`${functionName} ${queue}`);
        },
      log: silentLog,
    });
    await source.start();
    await broker.send(a, 1);
    await broker.send(b, 1);
    await expect.poll(() => seen.toSorted(), { timeout: 10_000 }).toEqual([`first ${a}`, `second ${b}`]);
    await source.stop();
    await broker.send(a, 2);
    await expect.poll(() => consumersOf(a)).toBe(0);
    expect(await broker.count(a)).toBe(1);
  });

  it('no mapping is started if the broker refuses one of them', async () => {
    const queue = await broker.queue();
    const source = new EventSource({
      url: stack.AMQP_URL,
      mappings: [mappingOf('good', queue), mappingOf('bad', queue, 'no-such-vhost')],
      invoke: () => async () => undefined,
      log: silentLog,
    });
    await expect(source.start()).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
    await expect.poll(() => consumersOf(queue)).toBe(0);
  });

  /** A function whose calls are let go by hand. */
  const held = () => {
    const waiting: (() => void)[] = [];
    const bodies: unknown[] = [];
    const invoke = () => async (event: RabbitMQEvent) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      for (const { content } of readEvent(event)) bodies.push(JSON.parse(content.toString()));
    };
    const release = () => {
      for (const each of waiting.splice(0)) each();
    };
    return { waiting, bodies, invoke, release };
  };
  const start = async (
    mapping: Mapping,
    invoke: () => (event: RabbitMQEvent) => Promise<void>,
    url = stack.AMQP_URL,
  ) => {
    const source = new EventSource({ url, mappings: [mapping], invoke, log: silentLog });
    await source.start();
    return source;
  };

  it('makes as many calls at the same time as asked for, and each acknowledges its own messages', async () => {
    const queue = await broker.queue();
    const { waiting, bodies, invoke, release } = held();
    const source = await start({ ...mappingOf('parallel', queue), batchSize: 1, concurrency: 3 }, invoke);
    for (let body = 0; body < 6; body += 1) await broker.send(queue, body);
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(3);
    // One of three ends: nothing of the other two may be acknowledged with it.
    waiting.shift()?.();
    await expect.poll(() => bodies.length).toBe(1);
    expect(await source.stop({ deadlineMs: 300 })).toBe(false);
    await expect.poll(() => broker.count(queue), { timeout: 10_000 }).toBe(5);
    release();
  });

  it('stop returns whether all calls ended before the deadline', async () => {
    const queue = await broker.queue();
    const { waiting, bodies, invoke, release } = held();
    const source = await start({ ...mappingOf('drained', queue), batchSize: 1 }, invoke);
    await broker.send(queue, 'in hand');
    await broker.send(queue, 'waiting');
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(1);
    const stopped = source.stop({ deadlineMs: 10_000 });
    release();
    expect(await stopped).toBe(true);
    expect(bodies).toEqual(['in hand']);
    await expect.poll(() => broker.count(queue)).toBe(1);
  });

  it('acknowledges what matches no filter pattern, and counts it', async () => {
    const queue = await broker.queue();
    const seen: unknown[] = [];
    const counts = { filtered: 0, batches: 0 };
    const source = new EventSource({
      url: stack.AMQP_URL,
      mappings: [{ ...mappingOf('filtered', queue), filterPatterns: [{ data: { severity: ['critical'] } }] }],
      invoke: () => async (event) => {
        for (const { content } of readEvent(event)) seen.push(JSON.parse(content.toString()));
      },
      log: silentLog,
      observer: {
        filtered: () => {
          counts.filtered += 1;
        },
        batch: () => {
          counts.batches += 1;
        },
      },
    });
    await source.start();
    for (const severity of ['info', 'critical', 'info', 'info', 'critical'])
      await broker.send(queue, { severity });
    await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(2);
    await expect.poll(() => counts.filtered).toBe(3);
    await source.stop();
    expect(seen).toEqual([{ severity: 'critical' }, { severity: 'critical' }]);
    expect(await broker.count(queue)).toBe(0);
    expect(counts.batches).toBeGreaterThan(0);
  });

  it('the next URL is used if a broker is unavailable', async () => {
    const queue = await broker.queue();
    const { waiting, invoke, release } = held();
    const source = await start(mappingOf('moved', queue), invoke, `amqp://127.0.0.1:9, ${stack.AMQP_URL}`);
    await broker.send(queue, 1);
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(1);
    release();
    expect(await source.stop()).toBe(true);
    expect(await broker.count(queue)).toBe(0);
  });
});
