/** The replies of calls that go out on the channel of their acknowledgements. */
import { type ChannelModel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { management, openBroker, type TestBroker, unique } from '../../support/broker.ts';
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
  expect(seen).toEqual(Array.from({ length: 4 }, () => 'confirmed'));
});

it('replies: a publisher of another make or login publishes each itself', async () => {
  const user = unique('replier');
  await management('PUT', `/users/${user}`, { password: 's3cr3t', tags: '' });
  cleanups.push(() => management('DELETE', `/users/${user}`));
  await management('PUT', `/permissions/%2F/${user}`, { configure: '', write: '.*', read: '' });
  const other = Object.assign(new URL(url), { username: user, password: 's3cr3t' }).href;
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
  expect(seen).toEqual(Array.from({ length: 4 }, () => 'confirmed'));
});
