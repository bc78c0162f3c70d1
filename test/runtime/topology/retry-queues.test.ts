import { type ConfirmChannel, connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { failedCopy } from '../../../runtime/messages/failed-copy.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { sharedRetryName } from '../../../runtime/topology/names.ts';
import { QueueStates } from '../../../runtime/topology/queue-states.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { sharedRetryExchanges } from '../../../runtime/topology/shared-retries.ts';
import { compileUsers } from '../../../runtime/topology/users.ts';
import { dropLetters, management, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { received } from '../../support/received.ts';
import { stack } from '../../support/stack.ts';

const patience = { timeout: 20_000, interval: 100 };
const slow = { timeout: 60_000, interval: 100 };
const seconds = 1;
const topologyOf = (...queues: string[]) =>
  compileTopology(
    readSection({ retryDelays: [seconds], queues: Object.fromEntries(queues.map((name) => [name, {}])) }),
  );
const copyOf = (queue: string, n: number) =>
  failedCopy(
    received({ queue, content: Buffer.from(String(n)), messageId: `${queue}-${n}` }),
    { to: 'retry', seconds },
    new Error('fails'),
    new Date(),
  );
const publishCopies = (publisher: Publisher, queue: string, count: number) =>
  Promise.all(Array.from({ length: count }, (_, n) => publisher.publish(copyOf(queue, n))));

describe('retry queues', () => {
  let broker: TestBroker;
  let publisher: Publisher;
  let gone: string;
  let full: string;
  let busy: string;
  const policy = unique('policy');
  const queueStates: QueueStates[] = [];

  beforeAll(async () => {
    broker = await openBroker();
    publisher = new Publisher({ url: stack.AMQP_URL, name: unique('retries') });
    [gone, full, busy] = [unique('gone'), unique('full'), unique('busy')];
    await applyTopology(stack.AMQP_URL, topologyOf(gone, full, busy));
  });
  afterAll(async () => {
    await Promise.all(queueStates.map((each) => each.close()));
    await publisher.close();
    for (const queue of [gone, full, busy]) await broker.remove(queue);
    await management('DELETE', `/policies/%2F/${policy}`);
    await broker.close();
  });

  it('retry queues: messages of a deleted and of a full queue do not keep those of another from returning in time', async () => {
    await broker.channel.deleteQueue(gone);
    const definition = { 'max-length': 1 };
    await management('PUT', `/policies/%2F/${policy}`, {
      pattern: `^${full}$`,
      definition,
      'apply-to': 'queues',
    });
    for (const n of [1, 2]) await broker.send(full, n).catch(() => undefined);
    await publishCopies(publisher, gone, 40);
    // A limit is not exact: the queue may take some of the first ones.
    await publishCopies(publisher, full, 120);
    const states = new QueueStates({
      url: stack.AMQP_URL,
      managementUrl: stack.AMQP_MANAGEMENT_URL,
      topology: topologyOf(gone, full, busy),
      name: unique('states'),
    });
    queueStates.push(states);
    const stateOf = async (name: string) => (await states.read()).find(({ queue }) => queue === name);
    // They are counted while the broker holds them, and not only while they wait.
    await expect.poll(async () => (await stateOf(full))?.overdue ?? 0, patience).toBeGreaterThan(61);
    await expect.poll(async () => (await stateOf(full))?.retrying ?? 0, patience).toBeGreaterThan(61);
    await expect.poll(async () => (await stateOf(gone))?.overdue, patience).toBe(0);
    expect((await stateOf(gone))?.ready).toBeNull();

    const startedAt = performance.now();
    await publishCopies(publisher, busy, 3);
    for (let n = 0; n < 3; n += 1) await broker.take(busy, 5000);
    expect(performance.now() - startedAt).toBeLessThan(seconds * 1000 + 5000);
    expect(await stateOf(busy)).toMatchObject({ retrying: 0, overdue: 0 });

    const letters = await dropLetters({ queue: gone, reason: 'no-queue' }, 40);
    expect(new Set(letters.map(({ id }) => id)).size).toBe(40);
    expect(letters[0]).toMatchObject({ queue: gone, error: 'Error: fails', attempts: 1 });
  }, 90_000);

  it('retry queues: a login for a function may still publish to the shared exchange of an earlier version while it exists', async () => {
    const shared = sharedRetryName(77);
    const section = readSection({ queues: { q: {} }, users: { worker: { functions: ['f'] } } });
    const functions = { f: { events: [{ rabbitmq: { queue: 'q' } }] } };
    const write = async () => {
      const options = { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: '%2F' };
      return compileUsers(section, functions, await sharedRetryExchanges(options))[0]?.write;
    };
    await broker.channel.assertExchange(shared, 'fanout');
    expect(new RegExp((await write()) ?? '').test(shared)).toBe(true);
    await broker.channel.deleteExchange(shared);
    expect(await write()).toBe('^(warren\\.dead|warren\\.retry)$');
  });
});

describe('retry queues of a broker that tries a full queue again each second', () => {
  let node: PrivateBroker;
  let publisher: Publisher;
  let channel: ConfirmChannel;
  const closing: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    // Counts are at most one second old.
    const erlang =
      '-rabbit dead_letter_worker_publisher_confirm_timeout 1000 ' +
      '-rabbit quorum_tick_interval 1000 -rabbit collect_statistics_interval 1000';
    node = await privateBroker(() => [], erlang);
    publisher = new Publisher({ url: node.url, name: 'retries' });
    const model = await connect(node.url);
    channel = await model.createConfirmChannel();
    closing.push(
      () => publisher.close(),
      () => model.close(),
    );
  }, 60_000);
  afterAll(async () => {
    for (const close of closing) await close();
    await node.close();
  });

  it('retry queues: messages of a full queue return when it has room', async () => {
    await applyTopology(node.url, topologyOf('full'));
    await node.control('set_policy', 'full', '^full$', '{"max-length": 1}');
    channel.sendToQueue('full', Buffer.from('first'));
    await channel.waitForConfirms();
    await publishCopies(publisher, 'full', 120);
    const overdue = async () => {
      const { all, ready } = await totals(node, 'full.retry.1s');
      return all - ready;
    };
    await expect.poll(overdue, patience).toBeGreaterThan(61);
    await node.control('set_policy', 'full', '^full$', '{"max-length": 1000}');
    await expect.poll(async () => (await channel.checkQueue('full')).messageCount, slow).toBe(121);
    await expect.poll(overdue, patience).toBe(0);
  }, 120_000);

  it('retry queues: a message in a retry queue of an earlier version returns after the topology was applied', async () => {
    const name = sharedRetryName(3);
    await channel.assertExchange(name, 'fanout', { durable: true });
    await channel.assertQueue(name, {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-message-ttl': 3000,
        'x-dead-letter-exchange': '',
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      },
    });
    await channel.bindQueue(name, name, '');
    // A function of that version publishes before, and another after the topology was applied.
    channel.publish(name, 'old', Buffer.from('before'), { mandatory: true });
    await channel.waitForConfirms();
    await applyTopology(node.url, topologyOf('old'));
    channel.publish(name, 'old', Buffer.from('after'), { mandatory: true });
    await channel.waitForConfirms();
    await expect.poll(async () => (await channel.checkQueue('old')).messageCount, patience).toBe(2);
  }, 60_000);

  it('retry queues: 200 work queues are declared in a minute, and a second time in seconds', async () => {
    const topology = compileTopology(
      readSection({
        queues: Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`many-${n}`, {}])),
      }),
    );
    expect(topology.queues).toHaveLength(1001);
    const timed = async () => {
      const startedAt = performance.now();
      await applyTopology(node.url, topology);
      return performance.now() - startedAt;
    };
    // Measured on two cores: 8 s, then 0.6 s.
    expect(await timed()).toBeLessThan(60_000);
    expect(await timed()).toBeLessThan(10_000);
  }, 180_000);
});

/** The messages of a queue, and those of them that wait, as the broker counts them. */
async function totals(node: PrivateBroker, queue: string): Promise<{ all: number; ready: number }> {
  const text = await node.control(
    'list_queues',
    '--quiet',
    '--formatter',
    'json',
    'name',
    'messages',
    'messages_ready',
  );
  const listed = JSON.parse(text) as { name: string; messages: number; messages_ready: number }[];
  const found = listed.find(({ name }) => name === queue);
  return { all: found?.messages ?? 0, ready: found?.messages_ready ?? 0 };
}
