/** The replies of calls whose callers are at another node of the broker than the function. */
import { type ChannelModel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { readsUnencoded } from '../../../runtime/base/unencoded.ts';
import type { Handler } from '../../../runtime/hosts/in-process.ts';
import type { RabbitMQEvent } from '../../../runtime/messages/event.ts';
import { unique } from '../../support/broker.ts';
import { ServedCalls } from '../../support/served-calls.ts';

/** The largest body, so that further replies need no confirm. */
const first = 'the first and largest body';
/** RabbitMQ 4.3's first node of a cluster would look for the others for longer than we wait for it. */
const settings = [
  'cluster_formation.discovery_retry_limit = 1',
  'cluster_formation.discovery_retry_interval = 100',
];
const patience = { timeout: 30_000, interval: 50 };
const calls = new ServedCalls();
const nodes: PrivateBroker[] = [];
const models: ChannelModel[] = [];
const at = (n: number) => nodes[n] as PrivateBroker;

const connectTo = async (n: number) => {
  const model = await connect(at(n).url);
  // The tests end nodes.
  model.on('error', () => undefined);
  models.push(model);
  return model;
};

/** A queue for a method at a node. */
const methodAt = async (n: number) => {
  const queue = unique('method');
  const channel = await (await connectTo(n)).createChannel();
  await channel.assertQueue(queue, { durable: true });
  return queue;
};

beforeAll(async () => {
  const all = ['node1', 'node2', 'node3'];
  for (const name of all) {
    const epmd = nodes[0]?.epmd;
    nodes.push(await privateBroker(() => settings, '', { name, all, epmd }));
  }
}, 180_000);
afterEach(async () => {
  await calls.close();
  for (const model of models.splice(0)) await model.close().catch(() => undefined);
});
afterAll(async () => {
  for (const node of nodes.reverse()) await node.close();
});

it('replies: function, queue and caller at three nodes: each call is answered, also when the node of the caller stood still', async () => {
  const [url, queue] = [at(0).url, await methodAt(2)];
  await calls.serve({ queue, url, publisher: calls.publisherAt(url) });
  const { call, answers } = await calls.caller(await connectTo(1));
  const seen = calls.outcomes();
  const made: Promise<unknown>[] = [];
  expect(await call(queue, first)).toEqual({ body: first });
  for (let n = 0; n < 1000; n += 1) made.push(call(queue, `call ${n}`));
  await expect.poll(() => answers.length, patience).toBeGreaterThan(100);
  at(1).signal('SIGSTOP');
  setTimeout(() => at(1).signal('SIGCONT'), 2000);
  await Promise.all(made);
  expect(new Set(answers.map(({ body }) => body)).size).toBe(1001);
  expect(answers.length).toBe(1001);
  expect(seen.filter((outcome) => outcome === 'sent').length).toBe(1000);
}, 120_000);

it('replies: a memory alarm delays the acknowledgements of calls, loses no call and repeats none, and harms no other queue', async () => {
  const [url, queue, work] = [at(0).url, await methodAt(0), await methodAt(0)];
  let made = 0;
  const around = (handler: Handler<RabbitMQEvent>) =>
    readsUnencoded((async (event, context) => {
      made += 1;
      return handler(event, context);
    }) as Handler<RabbitMQEvent>);
  await calls.serve({ queue, url, publisher: calls.publisherAt(url), around });
  const model = await connectTo(0);
  const { call, answers } = await calls.caller(model);
  expect(await call(queue, first)).toEqual({ body: first });
  const channel = await model.createConfirmChannel();
  for (let n = 0; n < 100; n += 1) {
    channel.sendToQueue(work, Buffer.from(`${n}`));
    void call(queue, `call ${n}`);
  }
  await at(0).control('set_vm_memory_high_watermark', 'absolute', '1000');
  try {
    // Of another function, on a connection of its own.
    let done = 0;
    const invoke = async () => {
      done += 1;
    };
    await calls.consume({ queue: work, url, invoke });
    await expect.poll(() => done, patience).toBe(100);
    await expect.poll(async () => (await channel.checkQueue(work)).messageCount, patience).toBe(0);
  } finally {
    await at(0).control('set_vm_memory_high_watermark', '0.6');
  }
  await expect.poll(() => answers.length, patience).toBe(101);
  await expect.poll(async () => (await channel.checkQueue(queue)).messageCount, patience).toBe(0);
  expect(made).toBe(101);
}, 120_000);

it('replies: a killed node of the caller ends its calls, and no other caller notices', async () => {
  const [url, queue] = [at(0).url, await methodAt(2)];
  await calls.serve({ queue, url, publisher: calls.publisherAt(url) });
  const doomed = await calls.caller(await connectTo(1));
  const other = await calls.caller(await connectTo(2));
  for (const { call } of [doomed, other]) expect(await call(queue, first)).toEqual({ body: first });
  const seen = calls.outcomes();
  let isKilled = false;
  const lane = async (n: number) => {
    for (let i = 0; i < 300 || !isKilled; i += 1) {
      if (!isKilled) void doomed.call(queue, 'lost perhaps');
      expect(await other.call(queue, `call ${n} ${i}`)).toEqual({ body: `call ${n} ${i}` });
    }
  };
  const lanes = Promise.all([1, 2, 3].map(lane));
  await at(1).kill();
  isKilled = true;
  await lanes;
  expect(await other.call(queue, 'last')).toEqual({ body: 'last' });
  expect(seen.filter((outcome) => outcome !== 'sent')).toEqual([]);
}, 120_000);
