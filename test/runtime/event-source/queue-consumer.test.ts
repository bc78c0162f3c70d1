import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QueueConsumer } from '../../../runtime/event-source/queue-consumer.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { patience } from '../../support/feeding.ts';

describe('the consumer of a channel', () => {
  let broker: TestBroker;
  beforeEach(async () => {
    broker = await openBroker();
  });
  afterEach(() => broker.close());

  it('consumer: one that is canceled before the broker has answered its start does not consume', async () => {
    const queue = await broker.queue();
    let canceling: Promise<void> | undefined;
    let asked = 0;
    const consumer = new QueueConsumer(broker.channel, {
      answer: (answer) => {
        asked += 1;
        // The first request is for the prefetch.
        if (asked === 2) canceling = consumer.cancel();
        return answer;
      },
      received: () => undefined,
      ended: () => undefined,
    });
    await consumer.start(queue, 10);
    await canceling;
    const consumers = async () => (await broker.channel.checkQueue(queue)).consumerCount;
    await expect.poll(consumers, patience).toBe(0);
    await broker.send(queue, 1);
    expect(await broker.count(queue)).toBe(1);
  });
});
