import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type ChannelModel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RpcClient } from '../../../runtime/amqp/rpc-client.ts';
import {
  DeadlineError,
  ReplyTooLargeError,
  UnavailableError,
  UnroutableError,
} from '../../../runtime/base/errors.ts';
import { BinaryReply } from '../../../runtime/messages/call-reply.ts';
import type { Message } from '../../../runtime/messages/received.ts';
import { findConnection, killConnection, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { isAtLeast } from '../../support/broker-version.ts';
import { proxyTo, withFaultyServer } from '../../support/faults.ts';
import { methodQueue, serveMethod } from '../../support/rpc.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
let publisher: Publisher;
const clients: RpcClient[] = [];
const servers: ChannelModel[] = [];

beforeAll(async () => {
  broker = await openBroker();
  publisher = new Publisher({ url: stack.AMQP_URL, name: unique('rpc-server') });
});
afterEach(async () => {
  await Promise.all([...clients.splice(0), ...servers.splice(0)].map((each) => each.close()));
});
afterAll(async () => {
  await publisher.close();
  await broker.close();
});

const clientOf = (name = unique('rpc-client')): RpcClient => {
  const client = new RpcClient({ url: stack.AMQP_URL, name });
  clients.push(client);
  return client;
};

const serve = (handle: (call: Message<unknown>) => Promise<unknown>) =>
  serveMethod({ broker, publisher, schema: z.unknown() }, handle);

describe('call', () => {
  it('call: a text from the handler arrives as text', async () => {
    const schema = z.object({ client_name: z.string(), time: z.number() });
    const ping = await serveMethod({ broker, publisher, schema }, async ({ body }) => `Pong!${body.time}`);
    const reply = await clientOf().call(ping, { client_name: 'RPC Client 1.0', time: 1288111236.43 });
    expect(reply).toEqual({
      body: 'Pong!1288111236.43',
      content: Buffer.from('Pong!1288111236.43'),
      contentType: 'text/plain; charset=utf-8',
      type: undefined,
    });
  });

  it('call: any other value from the handler arrives as JSON', async () => {
    const method = await serve(async () => ({ width: 640, name: 'Zürich' }));
    expect(await clientOf().call(method, {})).toEqual({
      body: { width: 640, name: 'Zürich' },
      content: Buffer.from('{"width":640,"name":"Zürich"}'),
      contentType: 'application/json',
      type: undefined,
    });
  });

  it('call: a binary reply arrives unchanged, and so does a binary request', async () => {
    const bytes = Buffer.from([0, 0xff, 0xfe, 0xc3, 0x28, 0x0a]);
    const method = await serve(async () => new BinaryReply(bytes, 'image/x-odd'));
    const expected = { body: bytes, content: bytes, contentType: 'image/x-odd', type: undefined };
    expect(await clientOf().call(method, {})).toEqual(expected);
    const queue = await methodQueue(broker);
    const call = clientOf().call(queue, new Uint8Array(bytes), { contentType: 'a/b', timeoutMs: 1000 });
    const { content, properties } = await broker.take(queue);
    await expect(call).rejects.toThrow(DeadlineError);
    expect([content, properties.contentType]).toEqual([bytes, 'a/b']);
  });

  it('call: a client may use an exchange of its own', async () => {
    const exchange = await broker.exchange('direct');
    const method = await serve(async () => 'here');
    await broker.channel.bindQueue(method, exchange, 'other-name');
    const client = new RpcClient({ url: stack.AMQP_URL, name: unique('rpc-client'), exchange });
    clients.push(client);
    expect((await client.call('other-name', {})).body).toBe('here');
    await expect(client.call(method, {})).rejects.toThrow(UnroutableError);
  });

  it('call: closing the client rejects every pending call and leaves no timer', async () => {
    const method = await methodQueue(broker);
    const client = clientOf();
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const calls = [1, 2, 3].map((n) => client.call(method, n, { timeoutMs: 60_000 }));
    const opening = clientOf();
    calls.push(opening.call(method, 4, { timeoutMs: 60_000 }));
    const settled = Promise.allSettled(calls);
    await expect.poll(() => broker.count(method)).toBe(4);
    await Promise.all([client.close(), opening.close()]);
    const reasons = (await settled).map((each) => each.status === 'rejected' && each.reason);
    expect(reasons).toEqual(Array.from({ length: 4 }, () => expect.any(UnavailableError)));
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it('call: a handler that returns nothing answers null', async () => {
    const method = await serve(async () => undefined);
    expect((await clientOf().call(method, {})).body).toBeNull();
  });

  it('call: the handler gets body, headers, reply_to and correlation id', async () => {
    const method = await serve(async ({ body, headers, replyTo, correlationId, routingKey }) => ({
      body,
      caller: headers['x-caller'],
      routingKey,
      ids: [typeof replyTo, typeof correlationId],
    }));
    const reply = await clientOf().call(method, [1, 'ü'], { headers: { 'x-caller': 'Ann' } });
    expect(reply.body).toEqual({
      body: [1, 'ü'],
      caller: 'Ann',
      routingKey: method,
      ids: ['string', 'string'],
    });
  });

  it('call: each of a hundred concurrent calls gets its own answer in any order', async () => {
    const method = await serve(async ({ body }) => {
      await pause(Math.random() * 20);
      return body;
    });
    const client = clientOf();
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    const replies = await Promise.all(numbers.map((n) => client.call(method, n)));
    expect(replies.map(({ body }) => body)).toEqual(numbers);
  });

  it('call: a request expires with its time limit and is not served later', async () => {
    const method = await methodQueue(broker);
    await expect(clientOf().call(method, 1, { timeoutMs: 200 })).rejects.toThrow(DeadlineError);
    await expect.poll(() => broker.count(method)).toBe(0);
  });
});

describe('unanswered call', () => {
  it('call: a method without a queue fails at once', async () => {
    const client = clientOf();
    const startedAt = performance.now();
    await expect(client.call(unique('unknown'), {})).rejects.toThrow(UnroutableError);
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  it('call: a call at its deadline fails, and its neighbor succeeds', async () => {
    let release: (() => void) | undefined;
    const method = await serve(async ({ body }) => {
      if (body === 'slow') {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      return body;
    });
    const client = clientOf();
    const slow = client.call(method, 'slow', { timeoutMs: 300 });
    const quick = client.call(method, 'quick');
    await expect(slow).rejects.toThrow(DeadlineError);
    await expect(slow).rejects.toThrow(`"${method}" did not answer within 300 ms`);
    expect((await quick).body).toBe('quick');
    release?.();
  });

  it('call: an answer after the deadline is ignored', async () => {
    let release: (() => void) | undefined;
    const method = await serve(async ({ body }) => {
      if (body === 'late') {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      return body;
    });
    const client = clientOf();
    await expect(client.call(method, 'late', { timeoutMs: 300 })).rejects.toThrow(DeadlineError);
    release?.();
    expect((await client.call(method, 'next')).body).toBe('next');
  });

  /** Answers as a server in another language does, with a limit of its own or none. */
  const answerBare = async (contentOf: (asked: unknown) => Buffer): Promise<string> => {
    const method = await methodQueue(broker);
    const model = await connect(stack.AMQP_URL);
    servers.push(model);
    const server = await model.createChannel();
    // A broker that refuses a reply closes the channel.
    server.on('error', () => undefined);
    await server.consume(method, (message) => {
      const { replyTo, correlationId } = message?.properties ?? {};
      const content = contentOf(JSON.parse(String(message?.content)));
      server.sendToQueue(String(replyTo), content, { correlationId: String(correlationId) });
      if (message) server.ack(message);
    });
    return method;
  };

  it('call: a reply above the limit of its caller fails the call at once, unparsed, and no other call', async () => {
    const method = await answerBare((asked) =>
      Buffer.from(asked === 'large' ? `[${'{},'.repeat(400)}1]` : '1'),
    );
    const client = clientOf();
    const options = { timeoutMs: 20_000, maxReplyBytes: 1000 };
    const calls = [client.call(method, 'large', options), client.call(method, 'small', options)];
    const [large, small] = await Promise.allSettled(calls);
    expect(large).toMatchObject({ reason: expect.any(ReplyTooLargeError) });
    expect(small).toMatchObject({ value: { body: 1 } });
  });

  it('call: a reply of 16 MiB arrives, and a larger one fails the call if the broker carries it', async () => {
    const limit = 16_777_216;
    // RabbitMQ 4 refuses it (`max_message_size`), so that the caller gets no reply.
    const carries = !isAtLeast(broker, '4.0');
    const method = await answerBare((bytes) => Buffer.from(`"${'x'.repeat(Number(bytes) - 2)}"`));
    const client = clientOf();
    expect(await client.call(method, limit, { timeoutMs: 30_000 })).toMatchObject({
      content: { length: limit },
    });
    if (!carries) return;
    await expect(client.call(method, limit + 1, { timeoutMs: 30_000 })).rejects.toMatchObject({
      code: 'ERR_REPLY_TOO_LARGE',
      message: `the reply of "${method}": expected at most ${limit} bytes, got ${limit + 1}`,
    });
  });

  it('call: an unavailable broker fails the call within 5 seconds', async () => {
    const client = new RpcClient({ url: 'amqp://127.0.0.1:1', name: unique('nowhere') });
    clients.push(client);
    await expect(client.call('ping', {})).rejects.toThrow(UnavailableError);
  });

  it('call: a wrong password fails with ERR_BROKER_REFUSED', async () => {
    const url = new URL(stack.AMQP_URL);
    url.password = 'wrong';
    const client = new RpcClient({ url: url.href, name: unique('refused') });
    clients.push(client);
    await expect(client.call('ping', {})).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
  });

  it('call: a connection that is cut while the reply queue is declared is an UnavailableError', async () => {
    const url = new URL(stack.AMQP_URL);
    const proxy = proxyTo(new URL(stack.AMQP_URL));
    // The class and method of queue.declare (AMQP 0-9-1, 1.7.2.1).
    const declare = Buffer.from([0, 50, 0, 10]);
    const cutting = (socket: Socket) => {
      socket.on('data', (data: Buffer) => {
        if (data.includes(declare)) socket.destroy();
      });
      proxy.serve(socket);
    };
    await withFaultyServer(cutting, async (port) => {
      url.host = `127.0.0.1:${port}`;
      const client = new RpcClient({ url: url.href, name: unique('cut') });
      await expect(client.call('ping', {})).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        cause: expect.any(Error),
      });
      await client.close();
    });
  });

  it('call: a close of the client rejects it', async () => {
    const method = await methodQueue(broker);
    const client = clientOf();
    const call = client.call(method, 1);
    const rejected = expect(call).rejects.toThrow(UnavailableError);
    await expect.poll(() => broker.count(method)).toBe(1);
    await client.close();
    await rejected;
  });
});

describe('dead connection without a sign', () => {
  const throughProxy = async (
    use: (client: RpcClient, freeze: () => void) => Promise<void>,
    options: { silentMs?: number } = {},
  ) => {
    const url = new URL(stack.AMQP_URL);
    const proxy = proxyTo(new URL(stack.AMQP_URL));
    await withFaultyServer(proxy.serve, async (port) => {
      url.host = `127.0.0.1:${port}`;
      const client = new RpcClient({
        url: url.href,
        name: unique('rpc-client'),
        answerMs: 500,
        ...options,
      });
      try {
        await use(client, proxy.freeze);
      } finally {
        await client.close();
      }
    });
  };

  it('rpc client: a silent connection is probed before a call and replaced', async () => {
    let served = 0;
    const method = await serve(async ({ body }) => {
      served += 1;
      return body;
    });
    await throughProxy(
      async (client, freeze) => {
        expect((await client.call(method, 'before')).body).toBe('before');
        freeze();
        expect((await client.call(method, 'after')).body).toBe('after');
        expect(served).toBe(2);
      },
      { silentMs: 0 },
    );
  });

  it('rpc client: a dead connection fails a call long before its deadline, and the next call succeeds', async () => {
    const silent = await methodQueue(broker, 'silent');
    const method = await serve(async ({ body }) => body);
    await throughProxy(async (client, freeze) => {
      await client.call(method, 'before');
      const call = client.call(silent, 1, { timeoutMs: 25_000 });
      const failed = expect(call).rejects.toThrow(UnavailableError);
      await expect.poll(() => broker.count(silent)).toBe(1);
      freeze();
      await failed;
      expect((await client.call(method, 'after')).body).toBe('after');
    });
  });

  it('rpc client: a slow method does not end the connection', async () => {
    let release: (() => void) | undefined;
    const method = await serve(async ({ body }) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return body;
    });
    await throughProxy(async (client) => {
      const call = client.call(method, 'slow', { timeoutMs: 25_000 });
      // Much longer than the limit for the broker itself.
      await expect(client.call(await methodQueue(broker, 'silent'), 1, { timeoutMs: 1500 })).rejects.toThrow(
        DeadlineError,
      );
      release?.();
      expect((await call).body).toBe('slow');
    });
  });
});

describe('killed connection', () => {
  it('rpc client: a killed connection rejects every call in flight, and the next call succeeds', async () => {
    const silent = await methodQueue(broker, 'silent');
    const method = await serve(async ({ body }) => body);
    const name = unique('rpc-client');
    const client = clientOf(name);
    const calls = [1, 2, 3].map((n) => client.call(silent, n, { timeoutMs: 25_000 }));
    const all = Promise.allSettled(calls);
    await expect.poll(() => broker.count(silent)).toBe(3);
    await killConnection(name);
    expect((await all).map((result) => result.status === 'rejected' && result.reason)).toEqual([
      expect.any(UnavailableError),
      expect.any(UnavailableError),
      expect.any(UnavailableError),
    ]);
    expect((await client.call(method, 'again')).body).toBe('again');
    // The broker had received them: a second try would have called the method twice.
    expect(await broker.count(silent)).toBe(3);
  });

  it('rpc client: a call that was not sent on a killed connection is sent on a new one', async () => {
    const method = await serve(async ({ body }) => body);
    const name = unique('rpc-client');
    const client = clientOf(name);
    await client.call(method, 0);
    const connection = await findConnection(name);
    let killed = false;
    const killing = connection.kill().finally(() => {
      killed = true;
    });
    const outcomes: unknown[] = [];
    for (let n = 1; !killed; n += 1) {
      await client.call(method, n).then(
        ({ body }) => outcomes.push(body === n),
        (error: unknown) => outcomes.push(error instanceof UnavailableError),
      );
    }
    await killing;
    expect(new Set(outcomes)).toEqual(new Set([true]));
    expect((await client.call(method, 'after')).body).toBe('after');
  });
});
