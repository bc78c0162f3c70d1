import { connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EventSource } from '../../../../runtime/event-source/event-source.ts';
import type { Invoke } from '../../../../runtime/event-source/invoke.ts';
import { partitionQueue } from '../../../../runtime/topology/names.ts';
import { feeding, messagesIn, patience } from '../../../support/feeding.ts';
import { openVhost, type TestVhost } from '../../../support/vhost.ts';

const queue = 'orders';
const order = { by: 'header.customer', partitions: 4 };
const customers = Array.from({ length: 8 }, (_, index) => `customer ${index}`);
let vhost: TestVhost;
const sources: EventSource[] = [];
beforeAll(async () => {
  vhost = await openVhost({ queues: { [queue]: { orderBy: order.by, partitions: order.partitions } } });
});
afterEach(() => Promise.all(sources.splice(0).map((source) => source.stop())));
afterAll(() => vhost.close());

const send = async (count: number) => {
  for (let n = 0; n < count; n += 1)
    for (const customer of customers)
      vhost.channel.sendToQueue(queue, Buffer.from(JSON.stringify(n)), { headers: { customer } });
  await vhost.channel.waitForConfirms();
};

const partitions = Array.from({ length: order.partitions }, (_, index) => partitionQueue(queue, index));

/** Waits until all messages are in the partitions. */
const divided = (total: number) =>
  expect
    .poll(async () => {
      const counts = await Promise.all(partitions.map((name) => vhost.count(name)));
      return counts.reduce((sum, each) => sum + each, 0);
    }, patience)
    .toBe(total);

/** A worker that handed over all that it had of the partitions, without a call. */
async function handOverUncalled(total: number): Promise<void> {
  const model = await connect(vhost.url);
  const channel = await model.createChannel();
  let taken = 0;
  for (const name of partitions)
    await channel.consume(name, () => {
      taken += 1;
    });
  await expect.poll(() => taken, patience).toBe(total);
  await model.close();
}

/** Numbers of the messages of the calls of a worker, until it had all. */
async function callsOf(total: number, settings: Parameters<typeof feeding>[2]): Promise<number[]> {
  const sizes: number[] = [];
  let seen = 0;
  const invoke: Invoke = async (event) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    sizes.push(messagesIn(event).length);
    seen += messagesIn(event).length;
  };
  sources.push(await feeding(queue, invoke, { url: vhost.url, order, ...settings }));
  await expect.poll(() => seen, patience).toBe(total);
  return sizes;
}

describe('the calls of a queue with orderBy', () => {
  it('orderBy: the keys fill calls, and are not divided among all calls that may be in flight', async () => {
    const total = 40 * customers.length;
    await send(40);
    await divided(total);
    const sizes = await callsOf(total, { concurrency: 4, batchSize: 4 });
    // Two messages a call if the keys were divided.
    expect(total / sizes.length).toBeGreaterThan(2.7);
  });

  it('orderBy: messages that come from the worker before share their calls', async () => {
    await send(5);
    await divided(5 * customers.length);
    await handOverUncalled(5 * customers.length);
    const sizes = await callsOf(5 * customers.length, { concurrency: 1, batchSize: 8 });
    expect(Math.max(...sizes)).toBeGreaterThan(4);
  });

  it('orderBy: a message that came again too often for the delivery limit has a call of its own', async () => {
    await send(5);
    await divided(5 * customers.length);
    await handOverUncalled(5 * customers.length);
    const settings = { concurrency: 1, batchSize: 8, order: { ...order, deliveryLimit: 10 } };
    const sizes = await callsOf(5 * customers.length, settings);
    expect(Math.max(...sizes)).toBe(1);
  });
});
