import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RabbitMQEvent } from '../../../shared/event-source/event.ts';
import { EventSource } from '../../../shared/event-source/event-source.ts';
import type { Mapping } from '../../../shared/event-source/poller.ts';
import { silentLog } from '../../../shared/log.ts';
import { readEvent } from '../../../shared/rabbitmq/received.ts';
import { openBroker, type TestBroker } from '../../broker.ts';
import { stack } from '../../stack.ts';

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

  it('starts none where one is refused', async () => {
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
});
