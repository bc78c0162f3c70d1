import type { ConsumeMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { notByAws, prepareDeployment } from '../../../runtime/serverless/package.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { diffTopology } from '../../../runtime/topology/diff.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { compileUsers } from '../../../runtime/topology/user-rights.ts';
import { patience } from '../../support/feeding.ts';
import { stack } from '../../support/stack.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

const exchanges = { shop: { type: 'topic' } };
const bindings = [{ exchange: 'shop', routingKey: 'order.*' }];
const ordered = (own: object = {}) => ({
  exchanges,
  queues: { orders: { orderBy: 'header.customer', partitions: 4, bindings, ...own } },
});
const compiled = (section: object) => compileTopology(readSection(section));

describe('the partitions of a queue', () => {
  let vhost: TestVhost;
  beforeAll(async () => {
    vhost = await openVhost(ordered());
  });
  afterAll(() => vhost.close());

  it('orderBy: apply declares the partitions, a second time changes nothing, and the diff shows nothing', async () => {
    const topology = compiled(ordered());
    await applyTopology(vhost.url, topology);
    const options = { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: vhost.name };
    await expect.poll(() => diffTopology(topology, options), { timeout: 20_000, interval: 200 }).toEqual([]);
  });

  it.each([
    ['another number of partitions', ordered({ partitions: 5 })],
    ['another key', ordered({ orderBy: 'header.seller' })],
    ['no partitions', { exchanges, queues: { orders: { bindings } } }],
  ])('orderBy: apply refuses %s and declares nothing of it', async (_what, section) => {
    await expect(applyTopology(vhost.url, compiled(section))).rejects.toMatchObject({
      code: 'ERR_TOPOLOGY',
      message: expect.stringMatching(/queue "orders" can't be declared: .*PRECONDITION_FAILED.*; /),
    });
    const { partitions = [] } = compiled(ordered()).partitioned?.[0] ?? {};
    const counts = partitions.map(async (name) => (await vhost.channel.checkQueue(name)).messageCount);
    expect(await Promise.all(counts)).toEqual([0, 0, 0, 0]);
    const options = { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: vhost.name };
    const left = await diffTopology(compiled(ordered()), options);
    expect(left.filter(({ kind }) => kind !== 'surplus')).toEqual([]);
  });

  it('orderBy: all messages of a key are in one partition, and the keys in all', async () => {
    const customers = Array.from({ length: 50 }, (_, index) => `customer ${index}`);
    for (let n = 0; n < 4; n += 1)
      for (const customer of customers)
        vhost.channel.publish('shop', 'order.placed', Buffer.from(customer), {
          mandatory: true,
          headers: { customer },
        });
    await vhost.channel.waitForConfirms();
    const places = new Map<string, Set<number>>();
    let received = 0;
    for (let index = 0; index < 4; index += 1) {
      // A queue with a single active consumer has no `get`.
      const note = (message: ConsumeMessage | null) => {
        const customer = message?.content.toString() ?? '';
        places.set(customer, (places.get(customer) ?? new Set()).add(index));
        received += 1;
      };
      await vhost.channel.consume(`orders.${index}`, note, { noAck: true });
    }
    await expect.poll(() => received, patience).toBe(200);
    expect(places.size).toBe(50);
    expect([...places.values()].filter(({ size }) => size !== 1)).toEqual([]);
    expect(new Set([...places.values()].flatMap((all) => [...all])).size).toBe(4);
  });
});

describe('orderBy', () => {
  const problemsOf = (queue: object) => () => compiled({ queues: { orders: queue } });

  it('orderBy: a body is refused as the place of a key', () => {
    expect(problemsOf({ orderBy: 'body.customer' })).toThrow(
      'custom.warren.queues.orders.orderBy: expected header.<name>, routingKey or correlationId',
    );
  });

  it('orderBy: settings that contradict it are refused, each with its reason', () => {
    const contradicting = {
      kind: 'rpc',
      singleActiveConsumer: true,
      priorities: true,
      retryDelays: [1, 3600],
    };
    const check = problemsOf({ orderBy: 'header.customer', ...contradicting });
    for (const text of [
      'queue "orders": orderBy: expected no value for kind rpc, got header.customer',
      'queue "orders": singleActiveConsumer: expected no value with orderBy',
      'queue "orders": priorities: expected no value with orderBy, got true',
      'queue "orders": retryDelays: expected at most 840 s in all with orderBy, because a key waits for its message, got 3601 s',
    ])
      expect(check).toThrow(text);
    expect(problemsOf({ partitions: 3 })).toThrow(
      'queue "orders": partitions: expected no value without orderBy or perKey, got 3',
    );
  });

  it('orderBy: a queue with the name of a partition is refused', () => {
    expect(() => compiled({ queues: { orders: { orderBy: 'routingKey' }, 'orders.1': {} } })).toThrow(
      '"orders.1" has the name of a partition of queue "orders"',
    );
  });

  it('orderBy: a login that runs a function may read the partitions of its queue', () => {
    const section = readSection({ ...ordered(), users: { worker: { functions: ['handle'] } } });
    const [user] = compileUsers(section, { handle: { events: [{ rabbitmq: { queue: 'orders' } }] } });
    const mayRead = new RegExp(user?.read ?? '');
    expect(['orders.0', 'orders.3', 'orders.4'].map((name) => mayRead.test(name))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it.each([['amazon-mq'], [undefined]] as const)(
    "orderBy: a deployment with AWS's own mapping (source %s) is refused",
    (feed) => {
      const functions = { handle: { events: [{ rabbitmq: { queue: 'orders' } }] } };
      const options = { notByAws: notByAws(readSection(ordered())), mappingId: () => 'Mapping' };
      expect(() => prepareDeployment(functions, { feed, ...options })).toThrow(
        'functions.handle: rabbitmq: queue "orders": its messages are ordered by header.customer, ' +
          "and AWS's own mapping keeps no order: set custom.warren.source to adapter or worker, or the source of the queue to adapter, or remove orderBy",
      );
      expect(() => prepareDeployment(functions, { feed: 'worker', ...options })).not.toThrow();
    },
  );
});
