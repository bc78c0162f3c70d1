import { afterEach, describe, expect, it } from 'vitest';
import type { EventSource } from '../../../runtime/event-source/event-source.ts';
import type { Invoke } from '../../../runtime/event-source/invoke.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { diffTopology } from '../../../runtime/topology/diff.ts';
import { partitionQueue } from '../../../runtime/topology/names.ts';
import type { PartitionedQueue } from '../../../runtime/topology/partitions.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { feeding, messagesIn, patience } from '../../support/feeding.ts';
import { stack } from '../../support/stack.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

const queue = 'orders';
const orderBy = 'header.customer';
const customers = Array.from({ length: 20 }, (_, n) => `customer ${n}`);
const sectionOf = (partitions: number) => ({
  exchanges: { shop: { type: 'topic' } },
  queues: { [queue]: { orderBy, partitions, bindings: [{ exchange: 'shop', routingKey: 'order.*' }] } },
});
const topologyOf = (partitions: number) => compileTopology(readSection(sectionOf(partitions)));
const partitionedOf = (partitions: number) => topologyOf(partitions).partitioned?.[0] as PartitionedQueue;

interface Body {
  customer: string;
  n: number;
}

/** The steps of docs/ordering.md#another-number-of-partitions. */
describe('another number of partitions', () => {
  let vhost: TestVhost;
  let done: Body[] = [];
  const sent = new Map<string, number>();
  let workers: EventSource[] = [];
  afterEach(async () => {
    await stop();
    await vhost.close();
  });

  const open = async (partitions: number) => {
    vhost = await openVhost(sectionOf(partitions));
    done = [];
    sent.clear();
  };
  const start = async (partitions: number) => {
    const invoke: Invoke = async (event) =>
      void done.push(...messagesIn(event).map(({ body }) => body as Body));
    const settings = { url: vhost.url, order: { by: orderBy, partitions }, concurrency: 4 };
    for (let n = 0; n < 2; n += 1) workers.push(await feeding(queue, invoke, settings));
  };
  const stop = async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    workers = [];
  };
  /** Publishes the next message of each customer. */
  const publish = async () => {
    for (const customer of customers) {
      const n = sent.get(customer) ?? 0;
      sent.set(customer, n + 1);
      const content = Buffer.from(JSON.stringify({ customer, n }));
      vhost.channel.publish('shop', 'order.placed', content, { mandatory: true, headers: { customer } });
    }
    await vhost.channel.waitForConfirms();
  };
  const all = () => [...sent.values()].reduce((sum, each) => sum + each, 0);
  /** Messages that were handled, each once. */
  const handled = () => new Set(done.map(({ customer, n }) => `${customer} ${n}`)).size;
  /** Customers of whom a message was handled behind a later one. */
  const reordered = () =>
    customers.filter((customer) => {
      const own = done.filter((each) => each.customer === customer).map(({ n }) => n);
      return own.some((n, index) => index > 0 && n < (own[index - 1] as number));
    });
  /** Deletes the queue, the exchange that divides its messages, and some partitions. */
  const remove = async ({ exchange }: PartitionedQueue, partitions: readonly string[]) => {
    await vhost.channel.deleteExchange(exchange);
    for (const name of [queue, ...partitions]) await vhost.channel.deleteQueue(name);
  };

  it('orderBy: is refused while messages flow, and after a drain nothing is lost, doubled or reordered', async () => {
    await open(2);
    await start(2);
    let flows = true;
    const flow = (async () => {
      while (flows) await publish();
    })();
    await expect.poll(() => done.length, patience).toBeGreaterThan(200);
    await expect(applyTopology(vhost.url, topologyOf(5))).rejects.toMatchObject({ code: 'ERR_TOPOLOGY' });
    const refusedAt = done.length;
    // The refused change has no effect on the workers.
    await expect.poll(() => done.length, patience).toBeGreaterThan(refusedAt + 100);
    flows = false;
    await flow;
    await expect.poll(handled, patience).toBe(all());
    await stop();
    const before = partitionedOf(2);
    for (const name of before.partitions) expect(await vhost.count(name)).toBe(0);
    await remove(before, before.partitions);
    await applyTopology(vhost.url, topologyOf(5));
    await start(5);
    for (let n = 0; n < 20; n += 1) await publish();
    await expect.poll(handled, patience).toBe(all());
    expect([done.length, reordered()]).toEqual([all(), []]);
  }, 90_000);

  it('orderBy: without a drain, messages that are left in a former partition are listed, and only their keys are reordered when they are moved', async () => {
    await open(5);
    for (let n = 0; n < 10; n += 1) await publish();
    const left = [2, 3, 4].map((index) => partitionQueue(queue, index));
    await remove(partitionedOf(5), []);
    await applyTopology(vhost.url, topologyOf(2));
    await publish();
    await start(2);
    const waiting = async () =>
      (await Promise.all(left.map((name) => vhost.count(name)))).reduce((sum, each) => sum + each, 0);
    const moved = await waiting();
    expect(moved).toBeGreaterThan(0);
    await expect.poll(handled, patience).toBe(all() - moved);
    const options = { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: vhost.name };
    const surplus = (await diffTopology(topologyOf(2), options)).filter(({ kind }) => kind === 'surplus');
    expect(JSON.stringify(surplus)).toContain(left[0]);
    // As a shovel does.
    const ofMoved = new Set<string>();
    const { channel } = vhost;
    for (const name of left)
      await channel.consume(name, (message) => {
        if (!message) return;
        ofMoved.add(String(message.properties.headers?.['customer']));
        const { content, properties } = message;
        channel.sendToQueue(queue, content, properties, () => channel.ack(message));
      });
    await expect.poll(handled, patience).toBe(all());
    expect(done).toHaveLength(all());
    expect(reordered().filter((customer) => !ofMoved.has(customer))).toEqual([]);
    expect(reordered().length).toBeGreaterThan(0);
  }, 90_000);
});
