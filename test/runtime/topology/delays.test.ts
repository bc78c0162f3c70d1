import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { onLadder, timed } from '../../../runtime/amqp/delay.ts';
import { joinTable, rawField } from '../../../runtime/amqp/field-table.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { delayLevel, delayLevels } from '../../../runtime/topology/delay-names.ts';
import { diffTopology } from '../../../runtime/topology/diff.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { management } from '../../support/broker.ts';
import { patience } from '../../support/feeding.ts';
import { stack } from '../../support/stack.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';
import { byName, fieldsOf, wireFields } from '../../support/wire-fields.ts';

const section = {
  retryDelays: [1],
  exchanges: {
    orders: { type: 'topic', delays: true },
    spare: { type: 'direct', delays: true, alternateExchange: 'rest' },
    rest: { type: 'fanout' },
    plain: { type: 'direct' },
  },
  queues: {
    late: { bindings: [{ exchange: 'orders', routingKey: 'order.*' }] },
    own: { delays: true },
    gone: { delays: true },
    full: { delays: true, maxLength: 1 },
    left: { bindings: [{ exchange: 'rest' }] },
  },
};
const properties = {
  contentType: 'text/plain',
  contentEncoding: 'identity',
  correlationId: 'c-1',
  replyTo: 'r',
  messageId: 'm-1',
  timestamp: 1_700_000_000,
  type: 't',
  appId: 'a',
};

describe('the ladder of delays', () => {
  let vhost: TestVhost;
  let publisher: Publisher;
  let connection: BrokerConnection;

  beforeAll(async () => {
    vhost = await openVhost(section);
    publisher = new Publisher({ url: vhost.url, name: 'delays' });
    connection = new BrokerConnection({ url: vhost.url, name: 'delays' });
  });
  afterEach(async () => {
    for (const queue of ['late', 'own', 'full', 'left']) await vhost.channel.purgeQueue(queue);
  });
  afterAll(async () => {
    await Promise.all([publisher.close(), connection.close()]);
    await vhost.close();
  });

  it('delays: messages to an exchange and to a queue arrive when they are due, with the routing key of their publish', async () => {
    const sent = performance.now();
    await publisher.publish({ exchange: 'orders', routingKey: 'order.a', body: 1, delay: '1.3 seconds' });
    await publisher.publish({
      exchange: '',
      routingKey: 'own',
      body: 2,
      deliverAt: new Date(Date.now() + 700),
    });
    const own = await vhost.take('own');
    expect(performance.now() - sent).toBeGreaterThanOrEqual(700);
    const late = await vhost.take('late');
    expect(performance.now() - sent).toBeGreaterThanOrEqual(1300);
    expect([own.fields.routingKey, late.fields.routingKey]).toEqual(['own', 'order.a']);
    expect(late.properties.headers).toMatchObject({
      'x-routing-key': 'order.a',
      'x-warren-exchange': 'orders',
    });
    expect(own.properties.headers).not.toHaveProperty('x-routing-key');
  });

  it('delays: body, properties and headers of every type arrive byte by byte', async () => {
    const channel = await connection.channel();
    const plain = {
      ...properties,
      exchange: 'orders',
      routingKey: 'order.b',
      body: Buffer.from([0, 255, 10]),
    };
    const { headers = {}, ...delayed } = onLadder(timed({ ...plain, delay: 400 }));
    const own = Object.entries(headers).map(([name, value]) =>
      value === true ? { name, value: Buffer.from('t\u0001') } : rawField(name, String(value)),
    );
    await publisher.publish({ ...plain, table: joinTable(wireFields) });
    const taken = async () => {
      let message = await channel.get('late', { noAck: true });
      await expect
        .poll(async () => {
          message ||= await channel.get('late', { noAck: true });
          return message !== false;
        }, patience)
        .toBe(true);
      if (!message) throw new Error('expected a message');
      return message;
    };
    const direct = await taken();
    await publisher.publish({ ...delayed, table: joinTable([...wireFields, ...own]) });
    const due = await taken();
    expect(due.content.equals(direct.content)).toBe(true);
    // By their names: with the headers as they arrived, each has a symbol.
    const others = ({ properties }: object & { properties: object }) =>
      Object.entries(properties).filter(([name]) => name !== 'headers');
    expect(others(due)).toEqual(others(direct));
    const names = wireFields.map(({ name }) => name);
    const theirs = (message: object & { properties: object }) =>
      byName(fieldsOf(message).filter(({ name }) => names.includes(name)));
    expect(theirs(direct)).toEqual(byName(wireFields));
    expect(theirs(due)).toEqual(byName(wireFields));
  });

  it('delays: a message that no binding matches when it is due is dead-lettered, and a replay publishes it again', async () => {
    await publisher.publish({
      exchange: 'orders',
      routingKey: 'unknown',
      body: 'lost',
      messageId: 'n-1',
      delay: 250,
    });
    const letters = () => listDeadLetters(vhost.url, { reason: 'unroutable' });
    await expect
      .poll(letters, patience)
      .toMatchObject([{ id: 'n-1', exchange: 'orders', routingKey: 'unknown' }]);
    expect(await replayDeadLetters(vhost.url)).toMatchObject({ replayed: [], stayed: [{ id: 'n-1' }] });
    await vhost.channel.bindQueue('late', 'orders', 'unknown');
    expect(await replayDeadLetters(vhost.url)).toMatchObject({ replayed: [{ id: 'n-1' }], stayed: [] });
    expect((await vhost.take('late')).fields).toMatchObject({ exchange: 'orders', routingKey: 'unknown' });
    await vhost.channel.unbindQueue('late', 'orders', 'unknown');
  });

  it('delays: a message that no binding matches takes the alternate exchange', async () => {
    await publisher.publish({ exchange: 'spare', routingKey: 'any', body: 1, delay: 250 });
    expect((await vhost.take('left')).fields.routingKey).toBe('any');
  });

  it('delays: a message whose queue was deleted is dead-lettered with the reason no-queue', async () => {
    await publisher.publish({ exchange: '', routingKey: 'gone', body: 1, messageId: 'g-1', delay: 1000 });
    await vhost.channel.deleteQueue('gone');
    const letters = () => listDeadLetters(vhost.url, { queue: 'gone' });
    await expect.poll(letters, patience).toMatchObject([{ id: 'g-1', reason: 'no-queue' }]);
  });

  it('delays: a full queue does not hold up the messages of another', async () => {
    const to = (routingKey: string) => (n: number) =>
      publisher.publish({ exchange: '', routingKey, body: n, delay: 250 });
    const numbers = Array.from({ length: 80 }, (_, n) => n);
    await Promise.all(numbers.map(to('full')));
    await expect.poll(() => vhost.count('full'), patience).toBeGreaterThan(0);
    const before = performance.now();
    await Promise.all(numbers.map(to('own')));
    await expect.poll(() => vhost.count('own'), patience).toBe(numbers.length);
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  it('delays: an exchange without them is refused at the publish', async () => {
    // Its second try on a busy machine must not come after it is due.
    const publishing = publisher.publish({ exchange: 'plain', routingKey: 'k', body: 1, delay: '1 minute' });
    await expect(publishing).rejects.toThrow("no exchange 'warren.delay.exchange.plain'");
  });

  it('delays: every level keeps its messages, the highest too', async () => {
    const levels = Array.from({ length: delayLevels }, (_, level) => level);
    await Promise.all(
      levels.map((level) =>
        publisher.publish({ exchange: '', routingKey: 'own', body: level, delay: 250 * 2 ** level }),
      ),
    );
    const counts = await Promise.all(levels.slice(14).map((level) => vhost.count(delayLevel(level))));
    expect(counts).toEqual(levels.slice(14).map(() => 1));
  });

  it('delays: a second apply changes nothing, and a missing part is a difference', async () => {
    const topology = compileTopology(readSection(section));
    await applyTopology(vhost.url, topology);
    const diff = () =>
      diffTopology(topology, {
        managementUrl: stack.AMQP_MANAGEMENT_URL,
        vhost: encodeURIComponent(vhost.name),
      });
    expect(await diff()).toEqual([]);
    await management('DELETE', `/exchanges/${vhost.name}/warren.delay.exchange.spare`);
    expect((await diff()).map(({ what, kind }) => [what, kind])).toEqual([
      ['exchange "warren.delay.exchange.spare"', 'missing'],
      ['binding of exchange "warren.delay.level.27" to "warren.delay.exchange.spare"', 'missing'],
    ]);
  });
});

describe('delays and partitions', () => {
  const ordered = {
    exchanges: { shop: { type: 'topic', delays: true } },
    queues: {
      orders: {
        orderBy: 'header.customer',
        partitions: 3,
        delays: true,
        bindings: [{ exchange: 'shop', routingKey: 'order.*' }],
      },
    },
  };
  const topology = compileTopology(readSection(ordered));
  let vhost: TestVhost;
  let publisher: Publisher;
  beforeAll(async () => {
    vhost = await openVhost(ordered);
    publisher = new Publisher({ url: vhost.url, name: 'delays and partitions' });
  });
  afterAll(async () => {
    await publisher.close();
    await vhost.close();
  });

  it('delays: messages to an exchange with an ordered queue reach the partition of their key, as those without a delay do', async () => {
    const places = new Map<string, Set<number>>();
    let received = 0;
    for (const index of [0, 1, 2]) {
      await vhost.channel.consume(
        `orders.${index}`,
        (message) => {
          const key = String(message?.properties.headers?.['customer']);
          places.set(key, (places.get(key) ?? new Set()).add(index));
          received += 1;
        },
        { noAck: true },
      );
    }
    const customers = Array.from({ length: 30 }, (_, index) => `customer ${index}`);
    const send = (given: { exchange: string; routingKey: string; delay?: number }) =>
      customers.map((customer) => publisher.publish({ ...given, body: customer, headers: { customer } }));
    await Promise.all([
      ...send({ exchange: 'shop', routingKey: 'order.placed' }),
      ...send({ exchange: 'shop', routingKey: 'order.placed', delay: 250 }),
      ...send({ exchange: '', routingKey: 'orders', delay: 500 }),
    ]);
    await expect.poll(() => received, patience).toBe(90);
    expect([...places.values()].filter(({ size }) => size !== 1)).toEqual([]);
    expect(new Set([...places.values()].flatMap((all) => [...all])).size).toBe(3);
  });

  it('delays: an applied topology with an ordered queue shows no difference, and a missing link is one', async () => {
    const options = { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: vhost.name };
    const diff = () => diffTopology(topology, options);
    await expect.poll(diff, patience).toEqual([]);
    const [hash = ''] = (topology.partitioned ?? []).map(({ exchange }) => exchange);
    await vhost.channel.unbindExchange(hash, 'warren.due.for.shop', 'order.*');
    await expect
      .poll(diff, patience)
      .toEqual([{ what: `binding of "${hash}" to "warren.due.for.shop" by "order.*"`, kind: 'missing' }]);
    await applyTopology(vhost.url, topology);
    await expect.poll(diff, patience).toEqual([]);
  });
});
