import { type ConfirmChannel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RpcClient } from '../../../runtime/amqp/rpc-client.ts';
import { RejectedError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { summarizeDeadLetters } from '../../../runtime/dead-letters/summary.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import { readMappings } from '../../../runtime/event-source/mapping.ts';
import { Turn, turnQueue } from '../../../runtime/hosts/turn.ts';
import type { RabbitMQEvent } from '../../../runtime/messages/event.ts';
import { onCalls } from '../../../runtime/messages/on-calls.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { readDelayStates } from '../../../runtime/topology/delay-states.ts';
import {
  deadExchange,
  deadLetterLog,
  deadLetters,
  retryExchange,
  retryQueue,
} from '../../../runtime/topology/names.ts';
import { QueueStates } from '../../../runtime/topology/queue-states.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { compileUsers } from '../../../runtime/topology/user-rights.ts';
import { applyUsers } from '../../../runtime/topology/users.ts';
import { management, unique } from '../../support/broker.ts';
import { isAtLeast } from '../../support/broker-version.ts';
import { stack } from '../../support/stack.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

const patience = { timeout: 20_000, interval: 50 };
const [topic, work, other, method] = [unique('topic'), unique('work.1'), unique('other'), unique('method')];
const [worker, server, publisher, caller, later, operator, monitor, everything, mapping, counter] = [
  'worker',
  'server',
  'publisher',
  'caller',
  'later',
  'operator',
  'monitor',
  'everything',
  'mapping',
  'counter',
].map(unique) as [string, string, string, string, string, string, string, string, string, string];

const functions = {
  work: { events: [{ rabbitmq: { queue: work, batchSize: 1 } }] },
  answer: { events: [{ rabbitmq: { queue: method, batchSize: 1 } }] },
};
const section = {
  deadLetterIndex: true,
  retryDelays: [1],
  exchanges: { [topic]: { type: 'topic', delays: true }, rpc: { type: 'direct' } },
  queues: {
    [work]: { bindings: [{ exchange: topic, routingKey: 'work' }] },
    [other]: { delays: true, bindings: [{ exchange: topic, routingKey: 'other' }] },
    [method]: { kind: 'rpc', bindings: [{ exchange: 'rpc', routingKey: method }] },
  },
  users: {
    [worker]: { functions: ['work'] },
    [server]: { functions: ['answer'] },
    [publisher]: { publishes: [topic] },
    [caller]: { publishes: ['rpc'], asks: true },
    [later]: { setsAside: [work] },
    [operator]: { replays: true },
    [monitor]: { manages: true },
    [mapping]: { consumes: [work] },
    [counter]: { counts: true, schedules: true },
    [everything]: { functions: ['answer'], publishes: ['rpc'], asks: true, replays: true },
  },
};

const passwords = Object.fromEntries(Object.keys(section.users).map((name) => [name, `password-of-${name}`]));
let vhost: TestVhost;
const apply = (
  users = compileUsers(readSection(section), functions),
  given: Record<string, string> = passwords,
) => applyUsers({ managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: vhost.name, users, passwords: given });
const as = (user: string, password = passwords[user] ?? '') => {
  const url = new URL(vhost.url);
  return Object.assign(url, { username: user, password }).href;
};

type Attempt = (channel: ConfirmChannel) => unknown;

describe('a user of the broker', () => {
  const open: { close(): Promise<unknown> }[] = [];
  const keep = <T extends { close(): Promise<unknown> }>(one: T): T => {
    open.push(one);
    return one;
  };

  beforeAll(async () => {
    vhost = await openVhost(section);
    await apply();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  });
  afterAll(async () => {
    await vhost.close();
    for (const name of Object.keys(section.users)) await management('DELETE', `/users/${name}`);
  });

  /** The code with which the broker refuses an attempt on a channel of its own; undefined if it does not. */
  const refusal = async (user: string, attempt: Attempt, password?: string) => {
    const channel = await openAs(user, password);
    const refused = new Promise<number>((resolve) => {
      channel.on('error', (error: Error & { code: number }) => resolve(error.code));
    });
    const done = Promise.resolve(attempt(channel)).then(
      // Publishing has no answer but the confirm.
      () => channel.waitForConfirms(),
    );
    return Promise.race([
      refused,
      done.then(
        () => undefined,
        () => refused,
      ),
    ]);
  };
  const openAs = async (user: string, password?: string) =>
    keep(await connect(as(user, password))).createConfirmChannel();
  const feed = async (
    user: string,
    functionName: 'work' | 'answer',
    handler: (event: RabbitMQEvent) => Promise<unknown>,
  ) => {
    const mappings = readMappings(functions).filter((each) => each.functionName === functionName);
    const source = new EventSource({ url: as(user), mappings, log: silentLog, invoke: () => handler });
    open.push({ close: () => source.stop() });
    await source.start();
  };

  it('users: a worker consumes the queue of its function, and retries or dead-letters failed messages', async () => {
    const seen: unknown[] = [];
    const own = keep(new Publisher({ url: as(worker), name: 'test' }));
    const schema = z.object({ n: z.number() });
    await feed(
      worker,
      'work',
      onMessages({ schema, publisher: own, policy: { delays: [1] } }, async ({ body, attempt }) => {
        seen.push([body.n, attempt]);
        if (body.n === 2 && attempt === 1) throw new Error('tried again');
        if (body.n === 3) throw new RejectedError('can never work');
      }),
    );
    const publishing = keep(new Publisher({ url: as(publisher), name: 'test' }));
    for (const n of [1, 2, 3]) await publishing.publish({ exchange: topic, routingKey: 'work', body: { n } });
    await expect
      .poll(() => seen.toSorted(), patience)
      .toEqual([
        [1, 1],
        [2, 1],
        [2, 2],
        [3, 1],
      ]);
    const letters = () => listDeadLetters(as(operator), { queue: work });
    await expect.poll(letters, patience).toMatchObject([{ error: 'RejectedError: can never work' }]);
    const kinds = () => summarizeDeadLetters(as(operator), { queue: work });
    expect(await kinds()).toMatchObject([{ error: 'RejectedError: can never work', count: 1 }]);
    const { replayed } = await replayDeadLetters(as(operator), { queue: work });
    expect(replayed).toHaveLength(1);
    await expect.poll(() => seen, patience).toHaveLength(5);
    // The first one is marked as gone, and the replayed message was rejected again.
    await expect.poll(kinds, patience).toMatchObject([{ count: 1 }]);
    await vhost.take(deadLetters);
  });

  it('users: a server replies to calls, and a caller receives the replies', async () => {
    const own = keep(new Publisher({ url: as(server), name: 'test' }));
    await feed(
      server,
      'answer',
      onCalls({ schema: z.string(), publisher: own }, async ({ body }) => `${body}, too`),
    );
    const rpc = keep(new RpcClient({ url: as(caller), name: 'test' }));
    expect((await rpc.call(method, 'hello')).body).toBe('hello, too');
  });

  it('users: one login with all rights calls, replies and replays', async () => {
    const own = keep(new Publisher({ url: as(everything), name: 'test' }));
    await feed(
      everything,
      'answer',
      onCalls({ schema: z.string(), publisher: own }, async ({ body }) => `${body}, too`),
    );
    const rpc = keep(new RpcClient({ url: as(everything), name: 'test' }));
    expect((await rpc.call(method, 'hello')).body).toBe('hello, too');
    await expect(listDeadLetters(as(everything), { queue: method })).resolves.toEqual([]);
  });

  it.each<[string, string, Attempt]>([
    ['a worker', worker, (channel) => channel.get(other)],
    ['a worker', worker, (channel) => channel.consume(method, () => undefined)],
    ['a worker', worker, (channel) => channel.purgeQueue(other)],
    ['a worker', worker, (channel) => channel.publish(topic, 'work', Buffer.from('1'))],
    ['a worker', worker, (channel) => channel.publish('', other, Buffer.from('1'))],
    ['a worker', worker, (channel) => channel.assertQueue(unique('mine'), { durable: true })],
    ['a worker', worker, (channel) => channel.deleteQueue(work)],
    ['a worker', worker, (channel) => channel.unbindQueue(work, topic, 'work')],
    ['a worker', worker, (channel) => channel.publish('warren.home', other, Buffer.from('1'))],
    ['who answers', server, (channel) => channel.get(work)],
    [
      'who answers',
      server,
      (channel) => channel.publish(retryExchange, retryQueue(work, 1), Buffer.from('1')),
    ],
    ['a publisher', publisher, (channel) => channel.get(work)],
    ['a publisher', publisher, (channel) => channel.publish('warren.dead', work, Buffer.from('1'))],
    ['a publisher', publisher, (channel) => channel.publish('rpc', method, Buffer.from('1'))],
    ['a publisher', publisher, (channel) => channel.deleteExchange(topic)],
    [
      'a publisher',
      publisher,
      (channel) => channel.publish(`warren.delay.queue.${other}`, other, Buffer.from('1')),
    ],
    [
      'a publisher',
      publisher,
      (channel) => channel.publish('warren.delay.level.27', 'work', Buffer.from('1')),
    ],
    ['a publisher', publisher, (channel) => channel.publish('warren.due', 'work', Buffer.from('1'))],
    [
      'a publisher',
      publisher,
      (channel) => channel.publish(`warren.due.for.${topic}`, 'work', Buffer.from('1')),
    ],
    [
      'a caller',
      caller,
      (channel) => channel.publish(`warren.delay.exchange.${topic}`, 'work', Buffer.from('1')),
    ],
    ['who counts', counter, (channel) => channel.publish('warren.delay.level.27', 'work', Buffer.from('1'))],
    [
      'who counts',
      counter,
      (channel) => channel.publish(`warren.due.for.${topic}`, 'work', Buffer.from('1')),
    ],
    ['a publisher', publisher, (channel) => channel.assertQueue('', { exclusive: true })],
    ['a caller', caller, (channel) => channel.publish(topic, 'work', Buffer.from('1'))],
    ['a caller', caller, (channel) => channel.get(method)],
    ['an operator', operator, (channel) => channel.get(work)],
    ['an operator', operator, (channel) => channel.deleteQueue(deadLetterLog)],
    ['a worker', worker, (channel) => channel.get(deadLetterLog)],
    ['who does much', everything, (channel) => channel.get(work)],
    ['a mapping', mapping, (channel) => channel.get(other)],
    ['a mapping', mapping, (channel) => channel.publish('warren.dead', work, Buffer.from('1'))],
    ['a mapping', mapping, (channel) => channel.publish('', work, Buffer.from('1'))],
    ['a monitor', monitor, (channel) => channel.get(work)],
    ['a monitor', monitor, (channel) => channel.publish(topic, 'work', Buffer.from('1'))],
    ['who counts', counter, (channel) => channel.get(work)],
    ['who counts', counter, (channel) => channel.purgeQueue(work)],
    ['who counts', counter, (channel) => channel.deleteQueue(work)],
    ['who counts', counter, (channel) => channel.bindQueue(work, topic, 'mine')],
    ['who counts', counter, (channel) => channel.publish('', work, Buffer.from('1'))],
    ['who counts', counter, (channel) => channel.publish(topic, 'work', Buffer.from('1'))],
    ['who counts', counter, (channel) => channel.publish(deadExchange, work, Buffer.from('1'))],
  ])('users: %s may do nothing else: case %#', async (_who, user, attempt) => {
    expect(await refusal(user, attempt)).toBe(403);
  });

  it('users: a login may delay messages for its own exchange, and for no other destination by other headers', async () => {
    const own = keep(new Publisher({ url: as(publisher), name: 'test' }));
    await own.publish({ exchange: topic, routingKey: 'other', body: 'later', delay: 250 });
    expect((await vhost.take(other)).content.toString()).toBe('"later"');
    const headers = { 'x-warren-delay-to': `queue.${other}` };
    const forged = own.publish({
      exchange: `warren.delay.exchange.${topic}`,
      routingKey: other,
      body: 1,
      headers,
    });
    await expect(forged).rejects.toMatchObject({ code: 'ERR_UNROUTABLE' });
    const all = keep(new Publisher({ url: as(everything), name: 'test' }));
    await all.publish({ exchange: '', routingKey: other, body: 'to the queue', delay: 250 });
    expect((await vhost.take(other)).content.toString()).toBe('"to the queue"');
  });

  it('users: a login with schedules takes turns, and another login does not', async () => {
    const turn = (user: string) => keep(new Turn({ url: as(user), name: 'test', queue: turnQueue('s') }));
    expect(await turn(counter).isMine()).toBe(true);
    await expect(turn(worker).isMine()).rejects.toMatchObject({
      message: expect.stringContaining('schedules: true'),
    });
  });

  it('users: a login with counts counts delayed messages', async () => {
    const topology = compileTopology(readSection(section));
    const states = await readDelayStates({ url: as(counter), topology });
    expect(states.levels).toHaveLength(28);
    expect(states.levels.every(({ messages }) => messages === 0)).toBe(true);
    expect(states.destinations.map(({ kind, name }) => [kind, name])).toEqual([
      ['exchange', topic],
      ['queue', other],
    ]);
  });

  it('users: a login with setsAside may publish to retry queues and dead letters, and nothing else', async () => {
    const publish = (exchange: string) => (channel: ConfirmChannel) =>
      channel.publish(exchange, unique('key'), Buffer.from('x'));
    for (const exchange of [deadExchange, retryExchange]) {
      await expect(refusal(later, async (channel) => publish(exchange)(channel))).resolves.toBeUndefined();
    }
    for (const exchange of [topic, '']) {
      await expect(refusal(later, async (channel) => publish(exchange)(channel))).resolves.toBe(403);
    }
    await expect(refusal(later, (channel) => channel.consume(work, () => undefined))).resolves.toBe(403);
  });

  it('users: a login may check its own exchange and its own queue, and before RabbitMQ 4.2.7 any', async () => {
    expect(await refusal(publisher, (channel) => channel.checkExchange(topic))).toBeUndefined();
    expect(await refusal(worker, (channel) => channel.checkQueue(work))).toBeUndefined();
    const denied = isAtLeast(vhost, '4.2.7') ? 403 : undefined;
    expect(await refusal(publisher, (channel) => channel.checkQueue(work))).toBe(denied);
    expect(await refusal(worker, (channel) => channel.checkExchange(topic))).toBe(denied);
  });

  it('users: a login with counts counts every queue, those of retries and dead letters among them', async () => {
    const topology = compileTopology(readSection(section));
    const queues = keep(new QueueStates({ url: as(counter), topology, name: 'test' }));
    const states = await queues.read();
    expect(states.map(({ queue }) => queue).toSorted()).toEqual(
      [deadLetters, work, other, method].toSorted(),
    );
    for (const state of states) {
      expect(state).toMatchObject({ ready: expect.any(Number), retrying: expect.any(Number) });
    }
  });

  it('users: from RabbitMQ 4.2.7 on, counting without the right is refused with advice', async () => {
    const topology = compileTopology(readSection(section));
    const queues = keep(new QueueStates({ url: as(publisher), topology, name: 'test' }));
    if (!isAtLeast(vhost, '4.2.7')) return expect(await queues.read()).toHaveLength(4);
    await expect(queues.read()).rejects.toMatchObject({
      code: 'ERR_BROKER_REFUSED',
      message: expect.stringMatching(/count queue ".*set counts: true for it in custom.warren.users/),
    });
    await expect(listDeadLetters(as(publisher))).rejects.toMatchObject({
      code: 'ERR_BROKER_REFUSED',
      message: expect.stringContaining('replays: true'),
    });
  });

  it('users: a login with consumes may consume its queue', async () => {
    expect(await refusal(mapping, (channel) => channel.consume(work, () => undefined))).toBeUndefined();
  });

  it('users: a login with manages reads messages in flight, and changes no user', async () => {
    const managementUrl = Object.assign(new URL(stack.AMQP_MANAGEMENT_URL), {
      username: monitor,
      password: passwords[monitor] ?? '',
    }).href;
    const topology = compileTopology(readSection(section));
    const queues = keep(new QueueStates({ url: as(counter), managementUrl, topology, name: 'test' }));
    const inFlight = async () => (await queues.read()).find(({ queue }) => queue === work)?.inFlight;
    await expect.poll(inFlight, patience).toBe(0);
    const users = compileUsers(readSection(section), functions).slice(0, 1);
    await expect(applyUsers({ managementUrl, vhost: vhost.name, users, passwords })).rejects.toMatchObject({
      code: 'ERR_BROKER_REFUSED',
    });
  });

  it('users: a second apply changes nothing', async () => {
    expect(new Set((await apply()).map(({ was }) => was))).toEqual(new Set(['unchanged']));
  });

  it('users: a given password replaces the old one, without one the old one stays, and a surplus right is removed', async () => {
    const users = compileUsers(readSection(section), functions).filter(({ name }) => name === publisher);
    expect(await apply(users, { [publisher]: 'rotated' })).toEqual([{ name: publisher, was: 'changed' }]);
    keep(await connect(as(publisher, 'rotated')));
    await expect(connect(as(publisher))).rejects.toThrow('ACCESS-REFUSED');
    await management('PUT', `/permissions/${vhost.name}/${publisher}`, {
      configure: '.*',
      write: '.*',
      read: '.*',
    });
    expect(await apply(users, {})).toEqual([{ name: publisher, was: 'changed' }]);
    const get = (channel: ConfirmChannel) => channel.get(work);
    expect(await refusal(publisher, get, 'rotated')).toBe(403);
    await apply(users);
  });

  it('users: a new user without a given password gets a generated one, which is returned once', async () => {
    const name = unique('new');
    const users = [{ name, tags: [], configure: '^$', write: '^$', read: '^$' }];
    const [made] = await apply(users, {});
    expect(made).toMatchObject({ name, was: 'created', password: expect.stringMatching(/^[\w-]{32}$/) });
    keep(await connect(as(name, made?.password)));
    expect(await apply(users, {})).toEqual([{ name, was: 'unchanged' }]);
    await management('DELETE', `/users/${name}`);
  });

  it('users: the error names every function, exchange and queue that does not exist', () => {
    const users = {
      one: { functions: ['nobody'] },
      two: { publishes: ['nowhere'] },
      three: { setsAside: ['nothing'] },
      four: { consumes: ['nobodys'] },
    };
    expect(() => compileUsers(readSection({ ...section, users }), functions)).toThrow(
      /user "one" runs function "nobody".*\n.*user "two" publishes to "nowhere".*\n.*user "three" sets aside for queue "nothing".*\n.*user "four" consumes queue "nobodys"/,
    );
  });

  it('users: counting a queue named like an exchange takes the right to publish to it, or the rights are refused', () => {
    const same = { exchanges: { same: { type: 'topic' } }, queues: { same: {} } };
    const rights = (user: object) => compileUsers(readSection({ ...same, users: { one: user } }), {});
    expect(() => rights({ counts: true })).toThrow(/user "one" counts queue "same", whose name is also/);
    expect(rights({ counts: true, publishes: ['same'] })).toHaveLength(1);
  });
});
