/** The replies of calls that go out on the channel of their acknowledgements, and those that are refused or lost there. */
import { type ChannelModel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { readsUnencoded } from '../../../runtime/base/unencoded.ts';
import type { Handler } from '../../../runtime/hosts/in-process.ts';
import type { RabbitMQEvent } from '../../../runtime/messages/event.ts';
import { killConnection, management, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { methodQueue } from '../../support/rpc.ts';
import { ServedCalls } from '../../support/served-calls.ts';
import { stack } from '../../support/stack.ts';

const patience = { timeout: 15_000, interval: 50 };
const url = stack.AMQP_URL;
const calls = new ServedCalls();
const cleanups: (() => unknown)[] = [];
let broker: TestBroker;
let callers: ChannelModel;
beforeAll(async () => {
  broker = await openBroker();
  callers = await connect(url);
});
afterEach(async () => {
  await calls.close();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  await callers.close();
  await broker.close();
});

/** The channels of a queue's consumers. */
const channelsOf = async (queue: string) => {
  const { consumer_details: consumers } = await management<{
    consumer_details: { channel_details: { name: string } }[];
  }>('GET', `/queues/%2F/${queue}`);
  return consumers.map(({ channel_details: { name } }) => name);
};

/** The URL of a user of its own with these rights. */
const loginWith = async (rights: { write: string; read: string }) => {
  const user = unique('user');
  await management('PUT', `/users/${user}`, { password: 's3cr3t', tags: '' });
  cleanups.push(() => management('DELETE', `/users/${user}`));
  await management('PUT', `/permissions/%2F/${user}`, { configure: '', ...rights });
  return Object.assign(new URL(url), { username: user, password: 's3cr3t' }).href;
};

it('replies: a caller gets the first with a confirm, and further ones without, while they are no larger', async () => {
  const queue = await methodQueue(broker);
  await calls.serve({ queue, url, publisher: calls.publisherAt(url) });
  const { call } = await calls.caller(callers);
  const seen = calls.outcomes();
  for (const body of [
    'first',
    'next',
    'two',
    'larger than any',
    'as large',
    'x'.repeat(70_000),
    'y'.repeat(70_000),
  ])
    expect(await call(queue, body)).toEqual({ body });
  await expect
    .poll(() => seen, patience)
    .toEqual(['confirmed', 'sent', 'sent', 'confirmed', 'sent', 'confirmed', 'confirmed']);
  const another = await calls.caller(callers);
  expect(await another.call(queue, 'me')).toEqual({ body: 'me' });
  await expect.poll(() => seen.at(-1), patience).toBe('confirmed');
  await expect.poll(() => broker.count(queue), patience).toBe(0);
});

it('replies: fifty at a time are all answered, each to its own call', async () => {
  const queue = await methodQueue(broker);
  await calls.serve({ queue, url, publisher: calls.publisherAt(url) });
  const { call } = await calls.caller(callers);
  const bodies = Array.from({ length: 1000 }, (_, n) => `call ${n}`);
  const answers: string[] = [];
  const lane = async () => {
    for (let body = bodies.pop(); body; body = bodies.pop()) {
      expect(await call(queue, body)).toEqual({ body });
      answers.push(body);
    }
  };
  await Promise.all(Array.from({ length: 50 }, lane));
  expect(new Set(answers).size).toBe(1000);
});

it('replies: a queue with a name of its own and an address of direct reply-to get each with a confirm', async () => {
  const queue = await methodQueue(broker);
  await calls.serve({ queue, url, publisher: calls.publisherAt(url) });
  const seen = calls.outcomes();
  const direct = await calls.caller(callers, 'amq.rabbitmq.reply-to');
  for (const body of ['one', 'two']) expect(await direct.call(queue, body)).toEqual({ body });
  const own = await broker.queue('replies', {});
  const named = await calls.caller(callers, own);
  for (const body of ['one', 'two']) {
    void named.call(queue, body);
    expect((await broker.take(own)).content.toString()).toBe(body);
  }
  // A reply may arrive before its confirm.
  await expect.poll(() => seen, patience).toEqual(Array.from({ length: 4 }, () => 'confirmed'));
});

it('replies: a publisher of another make or login publishes each itself', async () => {
  const other = await loginWith({ write: '.*', read: '' });
  const wrapped = calls.publisherAt(url);
  const seen = calls.outcomes();
  for (const publisher of [
    calls.publisherAt(other),
    { publish: (message: never) => wrapped.publish(message) },
  ]) {
    const queue = await methodQueue(broker);
    await calls.serve({ queue, url, publisher });
    const { call } = await calls.caller(callers);
    for (const body of ['one', 'two']) expect(await call(queue, body)).toEqual({ body });
  }
  // A reply may arrive before its confirm.
  await expect.poll(() => seen, patience).toEqual(Array.from({ length: 4 }, () => 'confirmed'));
});

it('replies: a login without the right to send replies loses them alone, and its consumer keeps its channel', async () => {
  const mute = await loginWith({ write: '', read: '.*' });
  const queue = await methodQueue(broker);
  await calls.serve({ queue, url: mute, publisher: calls.publisherAt(mute) });
  await expect.poll(() => channelsOf(queue), patience).toEqual([expect.any(String)]);
  const before = await channelsOf(queue);
  const { call } = await calls.caller(callers);
  const seen = calls.outcomes();
  for (const body of ['one', 'two', 'three']) void call(queue, body);
  await expect.poll(() => seen, patience).toEqual(['refused', 'refused', 'refused']);
  await expect.poll(() => broker.count(queue), patience).toBe(0);
  expect(await channelsOf(queue)).toEqual(before);
});

it('replies: those to a caller that has gone harm no other, and the consumer keeps its channel', async () => {
  const queue = await methodQueue(broker);
  await calls.serve({ queue, url, publisher: calls.publisherAt(url) });
  const [gone, other] = [await calls.caller(callers), await calls.caller(callers)];
  for (const { call } of [gone, other]) expect(await call(queue, 'known')).toEqual({ body: 'known' });
  await expect.poll(() => channelsOf(queue), patience).toEqual([expect.any(String)]);
  const before = await channelsOf(queue);
  await gone.leave();
  const seen = calls.outcomes();
  for (let n = 0; n < 10; n += 1) {
    void gone.call(queue, 'lost');
    expect(await other.call(queue, 'heard')).toEqual({ body: 'heard' });
  }
  expect(seen).toEqual(Array.from({ length: 20 }, () => 'sent'));
  await expect.poll(() => broker.count(queue), patience).toBe(0);
  expect(await channelsOf(queue)).toEqual(before);
});

it('replies: a caller whose reply was sent on a channel that closed before the acknowledgement gets an error, and no second call is made', async () => {
  let made = 0;
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const around = (handler: Handler<RabbitMQEvent>) =>
    readsUnencoded((async (event, context) => {
      made += 1;
      const result = await handler(event, context);
      if (made === 2) await held;
      return result;
    }) as Handler<RabbitMQEvent>);
  const queue = await methodQueue(broker);
  const connection = await calls.serve({ queue, url, publisher: calls.publisherAt(url), around });
  const { call, answers } = await calls.caller(callers);
  for (const body of ['one', 'two']) expect(await call(queue, body)).toEqual({ body });
  await killConnection(connection);
  release();
  const error = { type: 'error', body: expect.stringContaining('begun before') };
  await expect
    .poll(() => answers, { ...patience, timeout: 30_000 })
    .toEqual([{ body: 'one' }, { body: 'two' }, error]);
  await expect.poll(() => broker.count(queue), patience).toBe(0);
  expect(made).toBe(2);
}, 60_000);
