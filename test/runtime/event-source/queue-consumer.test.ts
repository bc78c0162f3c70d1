import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QueueConsumer } from '../../../runtime/event-source/queue-consumer.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { patience } from '../../support/feeding.ts';
import { stack } from '../../support/stack.ts';

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

  it('consumer: one that is canceled while it is replaced does not consume', async () => {
    const queue = await broker.queue();
    let canceling: Promise<void> | undefined;
    let asked = 0;
    const consumer = new QueueConsumer(broker.channel, {
      answer: (answer) => {
        asked += 1;
        // The requests before it are two of the start and one for the prefetch.
        if (asked === 4) canceling = consumer.cancel();
        return answer;
      },
      received: () => undefined,
      ended: () => undefined,
    });
    await consumer.start(queue, 1);
    await consumer.replace(queue, 10);
    await canceling;
    const consumers = async () => (await broker.channel.checkQueue(queue)).consumerCount;
    await expect.poll(consumers, patience).toBe(0);
    await broker.send(queue, 1);
    expect(await broker.count(queue)).toBe(1);
  });

  it('consumer: a queue that is deleted and declared again while it is replaced is consumed, or the loss is noticed', async () => {
    const fates: string[] = [];
    for (let n = 0; n < 40 && !fates.includes('starving'); n += 1) {
      const queue = await broker.queue('recreated', {});
      const model = await connect(stack.AMQP_URL);
      const channel = await model.createChannel();
      const fate = new Promise<string>((resolve) => {
        for (const part of [model, channel]) part.on('error', () => resolve('closed'));
        const received = () => resolve('served');
        const ended = () => resolve('canceled');
        const consumer = new QueueConsumer(channel, { answer: (answer) => answer, received, ended });
        const replaced = async () => {
          await consumer.start(queue, 1);
          const again = async () => {
            await pause((n % 8) / 2);
            await broker.channel.deleteQueue(queue);
            await broker.channel.assertQueue(queue, { durable: true });
          };
          await Promise.all([consumer.replace(queue, 10), again()]);
          await broker.send(queue, 1);
        };
        replaced().catch(() => resolve('closed'));
      });
      fates.push(await Promise.race([fate, pause(patience.timeout).then(() => 'starving')]));
      await model.close().catch(() => undefined);
    }
    expect(fates).not.toContain('starving');
  });
});
