import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RpcClient } from '../../../runtime/amqp/rpc-client.ts';
import { DeadlineError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import { HostUnavailableError, type Invoke } from '../../../runtime/event-source/invoke.ts';
import type { Mapping } from '../../../runtime/event-source/mapping.ts';
import { inProcess } from '../../../runtime/hosts/in-process.ts';
import { onCalls } from '../../../runtime/messages/on-calls.ts';
import {
  dropLetters,
  killConnection,
  management,
  openBroker,
  type TestBroker,
  unique,
} from '../../support/broker.ts';
import { isAtLeast } from '../../support/broker-version.ts';
import { methodQueue } from '../../support/rpc.ts';
import { stack } from '../../support/stack.ts';

const patience = { timeout: 15_000, interval: 50 };
const never = () => new Promise<never>(() => undefined);

const sendsLate = `
  import { connect } from 'amqplib';
  const connection = await connect(process.env.AMQP_URL);
  const channel = await connection.createConfirmChannel();
  channel.publish('', process.env.QUEUE, Buffer.from('"late"'), JSON.parse(process.env.LATE));
  await channel.waitForConfirms();
  await connection.close();
`;

describe('calls', () => {
  let broker: TestBroker;
  let publisher: Publisher;
  let client: RpcClient;
  const cleanups: (() => unknown)[] = [];
  beforeAll(async () => {
    broker = await openBroker();
    publisher = new Publisher({ url: stack.AMQP_URL, name: unique('calls') });
    client = new RpcClient({ url: stack.AMQP_URL, name: unique('calls-client') });
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  afterAll(async () => {
    await client.close();
    await publisher.close();
    await broker.close();
  });

  /** Feeds a function from an RPC queue as a worker does. */
  const host = async (queue: string, invoke: Invoke, mapping: Partial<Mapping> = {}) => {
    const own = { functionName: unique('fn'), queue, vhost: '/', arn: 'arn', batchSize: 100, windowMs: 500 };
    const source = new EventSource({
      url: stack.AMQP_URL,
      mappings: [{ ...own, kind: 'rpc', concurrency: 10, ...mapping }],
      invoke: () => invoke,
      log: silentLog,
    });
    await source.start();
    cleanups.push(() => source.stop({ deadlineMs: 2000 }));
    return { source, connection: `warren event source: ${own.functionName}` };
  };
  const local = (handler: (event: never, context: never) => unknown, timeoutMs = 10_000) =>
    inProcess({ functionName: 'fn', load: async () => handler as never, timeoutMs });
  const calls = (handle: (body: unknown) => Promise<unknown>) =>
    onCalls({ schema: z.unknown(), publisher }, ({ body }) => handle(body));

  /** A client of another make: it sets no expiration. */
  const foreign = async (queue: string, body: unknown, options: object = {}) => {
    const replies = await broker.queue('replies', {});
    await broker.send(queue, body, { replyTo: replies, correlationId: 'c-1', ...options });
    return {
      replies,
      async reply(timeout?: number) {
        const { content, properties } = await broker.take(replies, timeout);
        const isProblem = properties.contentType === 'application/problem+json';
        expect(properties.correlationId).toBe('c-1');
        return {
          type: properties.type,
          body: isProblem ? JSON.parse(content.toString()) : content.toString(),
        };
      },
    };
  };
  const error = (status: number) => ({
    type: 'error',
    body: expect.objectContaining({ type: 'about:blank', status }),
  });

  const hanging = {
    'of onCalls': (begun: unknown[]) =>
      calls(async (body) => {
        begun.push(body);
        await never();
      }),
    'of its own make': (begun: unknown[]) => async (event: unknown) => {
      begun.push(event);
      await never();
    },
  };
  it.each(Object.entries(hanging))(
    'calls: a call that hangs in a function %s is begun once and answered with 504 in time',
    async (_make, create) => {
      const queue = await methodQueue(broker);
      const begun: unknown[] = [];
      await host(queue, local(create(begun), 1000));
      const { reply } = await foreign(queue, 'hangs');
      expect(await reply(5000)).toEqual(error(504));
      await expect.poll(() => broker.count(queue), patience).toBe(0);
      await foreign(queue, 'another');
      await expect.poll(() => begun.length, patience).toBe(2);
    },
  );

  it('calls: a function that fails is called once, and its error text is not sent', async () => {
    const queue = await methodQueue(broker);
    let begun = 0;
    const fail = async () => {
      begun += 1;
      throw new Error('password of the database: secret');
    };
    await host(queue, local(fail));
    const { reply } = await foreign(queue, {});
    const answer = await reply();
    expect(answer).toEqual(error(500));
    expect(JSON.stringify(answer)).not.toContain('secret');
    expect(begun).toBe(1);
  });

  /** The address of a client with direct reply-to that has gone. */
  const goneAddress = async () => {
    const queue = await broker.queue('requests', {});
    const client = await connect(stack.AMQP_URL);
    const own = await client.createChannel();
    await own.consume('amq.rabbitmq.reply-to', () => undefined, { noAck: true });
    own.sendToQueue(queue, Buffer.from(''), { replyTo: 'amq.rabbitmq.reply-to' });
    const { properties } = await broker.take(queue);
    await client.close();
    return properties.replyTo as string;
  };

  it('calls: reply addresses that are invalid or gone harm no other caller, and the consumer keeps its channel', async () => {
    const queue = await methodQueue(broker);
    const log = silentLog;
    const echo = onCalls({ schema: z.unknown(), publisher, log }, async ({ body }) => body);
    await host(queue, local(echo));
    const consumers = async () =>
      (
        await management<{ consumer_details: { channel_details: { name: string } }[] }>(
          'GET',
          `/queues/%2F/${queue}`,
        )
      ).consumer_details.map(({ channel_details: { name } }) => name);
    // The management API names the channel later than the consumer.
    await expect.poll(consumers, patience).toEqual([expect.any(String)]);
    const before = await consumers();
    const invalid = [
      'amq.rabbitmq.reply-to.none.such',
      'amq.rabbitmq.reply-to.',
      'amq.rabbitmq.reply-to.g1h2',
    ];
    const bad = [...invalid, await goneAddress(), 'no.such.queue', 'x'.repeat(255)];
    const replies = await broker.queue('replies', {});
    const ids = Array.from({ length: 30 }, (_, n) => `c-${n}`);
    for (const [n, correlationId] of ids.entries()) {
      const replyTo = bad[n % bad.length] as string;
      await broker.send(queue, 'bad', { replyTo, messageId: unique('bad') });
      await broker.send(queue, 'good', { replyTo: replies, correlationId });
    }
    const answered = new Set<unknown>();
    while (answered.size < ids.length) {
      const { content, properties } = await broker.take(replies);
      expect([properties.type, content.toString()]).toEqual([undefined, 'good']);
      answered.add(properties.correlationId);
    }
    expect([...answered].toSorted()).toEqual(ids.toSorted());
    await expect.poll(() => broker.count(queue), patience).toBe(0);
    expect(await consumers()).toEqual(before);
    // Before 4.3, the broker closes the connection of a reply to the first of these addresses. It loses replies to all others.
    await dropLetters({ queue }, isAtLeast(broker, '4.3') ? 0 : ids.length / bad.length);
  });

  it('calls: one that fails and has no reply address is dead-lettered', async () => {
    const queue = await methodQueue(broker);
    const fail = async () => {
      throw new Error('broken');
    };
    await host(queue, local(fail));
    await broker.send(queue, {});
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter).toMatchObject({ queue, error: expect.stringContaining('broken') });
  });

  it('calls: six good calls behind one that hangs are answered in time', async () => {
    const queue = await methodQueue(broker);
    const begun: unknown[] = [];
    const handler = calls(async (body) => {
      begun.push(body);
      if (body === 'hangs') await never();
      return body;
    });
    await host(queue, local(handler, 20_000));
    const hangs = await foreign(queue, 'hangs', { expiration: 60_000 });
    const replies = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((n) => client.call(queue, n, { timeoutMs: 3000 })),
    );
    expect(replies.map(({ body }) => body)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(begun.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 'hangs']);
    expect(await broker.count(hangs.replies)).toBe(0);
  });

  it('calls: the limit of the caller ends a call before that of the function, and aborts its signal', async () => {
    const queue = await methodQueue(broker);
    const signals: AbortSignal[] = [];
    const handler = onCalls({ schema: z.unknown(), publisher }, async (_call, { signal }) => {
      signals.push(signal);
      return never();
    });
    await host(queue, local(handler, 60_000));
    const { reply } = await foreign(queue, {}, { expiration: 1000 });
    expect(await reply(5000)).toEqual(error(504));
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it('calls: one whose host is unavailable is not made after its caller got the error', async () => {
    const queue = await methodQueue(broker);
    let paid = 0;
    let available = false;
    const pay = local(
      calls(async () => {
        paid += 1;
      }),
    );
    await host(queue, async (event) => {
      if (!available) throw new HostUnavailableError('no host');
      return pay(event);
    });
    const { reply } = await foreign(queue, { amount: 5 }, { expiration: 1500 });
    expect(await reply(5000)).toEqual(error(503));
    available = true;
    expect((await client.call(queue, { amount: 1 })).body).toBeNull();
    expect(paid).toBe(1);
    expect(await broker.count(queue)).toBe(0);
  });

  it('calls: one that came too late to the queue is answered with 504 and not made', async () => {
    const queue = await methodQueue(broker);
    let made = 0;
    const handler = calls(async () => {
      made += 1;
    });
    const headers = { 'x-warren-expires-at': new Date(Date.now() - 1).toISOString() };
    const { reply } = await foreign(queue, {}, { headers, expiration: 60_000 });
    await host(queue, local(handler));
    expect(await reply()).toEqual(error(504));
    expect(made).toBe(0);
  });

  it('calls: one that waits behind a blocked event loop for longer than its caller does is answered with 504 and not made', async () => {
    const queue = await methodQueue(broker);
    const replies = await broker.queue('replies', {});
    const late = { replyTo: replies, correlationId: 'late', expiration: 500 };
    const made: unknown[] = [];
    const handler = calls(async (body) => {
      made.push(body);
      if (body !== 'blocks') return;
      // The loop is blocked while another process sends the call, and then for longer than its caller waits.
      const env = { ...process.env, AMQP_URL: stack.AMQP_URL, QUEUE: queue, LATE: JSON.stringify(late) };
      execFileSync(process.execPath, ['--input-type=module', '-e', sendsLate], { env });
      for (const until = performance.now() + 1500; performance.now() < until; );
    });
    await host(queue, local(handler));
    await foreign(queue, 'blocks');
    const { properties, content } = await broker.take(replies);
    expect({ type: properties.type, body: JSON.parse(content.toString()) }).toEqual(error(504));
    expect(made).toEqual(['blocks']);
  });

  it('calls: our client sends the time at which it stops waiting', async () => {
    const queue = await methodQueue(broker);
    const call = client.call(queue, {}, { timeoutMs: 1000 });
    const sentAt = Date.now();
    const { properties } = await broker.take(queue);
    await expect(call).rejects.toThrow(DeadlineError);
    const until = new Date(String(properties.headers?.['x-warren-expires-at'])).getTime();
    expect(Math.abs(until - sentAt - 1000)).toBeLessThan(900);
  });

  it('calls: one in flight when the connection is cut is made and answered once', async () => {
    const queue = await methodQueue(broker);
    let begun = 0;
    let finish: (body: string) => void = () => undefined;
    const handler = calls(() => {
      begun += 1;
      return new Promise((resolve) => {
        finish = resolve;
      });
    });
    const { connection } = await host(queue, local(handler, 60_000));
    const { reply, replies } = await foreign(queue, {});
    await expect.poll(() => begun, patience).toBe(1);
    await killConnection(connection);
    await expect.poll(async () => (await broker.channel.checkQueue(queue)).consumerCount, patience).toBe(1);
    await expect.poll(() => broker.count(queue), patience).toBe(0);
    finish('done');
    expect(await reply()).toEqual({ type: undefined, body: 'done' });
    expect(begun).toBe(1);
    expect(await broker.count(replies)).toBe(0);
  }, 60_000);

  it('calls: one that was not begun when its host stopped is made by the next host', async () => {
    const queue = await methodQueue(broker);
    let tries = 0;
    const { source } = await host(queue, async () => {
      tries += 1;
      throw new HostUnavailableError('no host');
    });
    const { reply } = await foreign(queue, {});
    await expect.poll(() => tries, patience).toBeGreaterThan(0);
    await source.stop();
    await host(queue, local(calls(async () => 'made')));
    expect(await reply()).toEqual({ type: undefined, body: 'made' });
  });

  /** Starts a worker of the queue, and again when it dies, as a supervisor does. */
  const supervise = (queue: string, redeliveries: number) => {
    const begun: string[] = [];
    let deaths = 0;
    let stopped = false;
    let child: ReturnType<typeof spawn> | undefined;
    const start = () => {
      const args = ['--import', 'tsx', 'test/support/deadly-calls.ts', queue, String(redeliveries)];
      const started = spawn(process.execPath, args, {
        env: { ...process.env, AMQP_URL: stack.AMQP_URL },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      child = started;
      createInterface({ input: started.stdout }).on('line', (line) => begun.push(line));
      started.on('close', () => {
        if (stopped) return;
        deaths += 1;
        start();
      });
    };
    start();
    cleanups.push(async () => {
      stopped = true;
      const closed = child && once(child, 'close');
      child?.kill('SIGKILL');
      await closed;
    });
    return { begun, deaths: () => deaths };
  };

  it.each([
    [0, 1],
    [2, 3],
  ])(
    'calls: with %i redeliveries, one that ends its process is begun %i times and answered with an error',
    async (redeliveries, times) => {
      const queue = await methodQueue(broker);
      const { reply, replies } = await foreign(queue, 'die');
      const { begun, deaths } = supervise(queue, redeliveries);
      expect(await reply(60_000)).toEqual(error(500));
      expect((await client.call(queue, 'good', { timeoutMs: 20_000 })).body).toBe('good');
      expect(begun).toEqual([...Array.from({ length: times }, () => 'begun die'), 'begun good']);
      expect(deaths()).toBe(times);
      expect(await broker.count(replies)).toBe(0);
    },
    120_000,
  );
});
