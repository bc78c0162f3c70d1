import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { PublishRefusedError } from '../../../runtime/amqp/confirm-channel.ts';
import type { OutgoingMessage } from '../../../runtime/amqp/outgoing.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RpcClient } from '../../../runtime/amqp/rpc-client.ts';
import {
  DeadlineError,
  RejectedError,
  UnavailableError,
  UnroutableError,
} from '../../../runtime/base/errors.ts';
import { listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { toEvent } from '../../../runtime/messages/event.ts';
import { onCalls } from '../../../runtime/messages/on-calls.ts';
import type { Message } from '../../../runtime/messages/received.ts';
import { CallError } from '../../../runtime/messages/reply.ts';
import {
  dropLetters,
  findConnection,
  killConnection,
  openBroker,
  type TestBroker,
  unique,
} from '../../support/broker.ts';
import { proxyTo, withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
let publisher: Publisher;
const clients: RpcClient[] = [];

beforeAll(async () => {
  broker = await openBroker();
  publisher = new Publisher({ url: stack.AMQP_URL, name: unique('rpc-server') });
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
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

/** A queue for a method, bound as the topology binds it. */
const methodQueue = async (what = 'method'): Promise<string> => {
  const method = await broker.queue(what, { 'x-queue-type': 'classic' });
  await broker.channel.bindQueue(method, 'rpc', method);
  return method;
};

/** Serves a method by `onCalls`, fed by a plain consumer. */
const serve = (handle: (call: Message<unknown>) => Promise<unknown>) => serveChecked(z.unknown(), handle);

const serveChecked = async <Body>(
  schema: z.ZodType<Body>,
  handle: (call: Message<Body>) => Promise<unknown>,
): Promise<string> => {
  const method = await methodQueue();
  const run = onCalls({ schema, publisher }, handle);
  await broker.channel.consume(method, async (message) => {
    if (!message) return;
    await run(toEvent({ arn: 'arn', queue: method, vhost: '/' }, [message]));
    broker.channel.ack(message);
  });
  return method;
};

describe('a call', () => {
  it('is answered with the text the handler gives', async () => {
    const schema = z.object({ client_name: z.string(), time: z.number() });
    const ping = await serveChecked(schema, async ({ body }) => `Pong!${body.time}`);
    const reply = await clientOf().call(ping, { client_name: 'RPC Client 1.0', time: 1288111236.43 });
    expect(reply).toEqual({
      body: 'Pong!1288111236.43',
      contentType: 'text/plain; charset=utf-8',
      type: undefined,
    });
  });

  it('is answered with JSON where the handler gives anything but text', async () => {
    const method = await serve(async () => ({ width: 640, name: 'Zürich' }));
    expect(await clientOf().call(method, {})).toEqual({
      body: { width: 640, name: 'Zürich' },
      contentType: 'application/json',
      type: undefined,
    });
  });

  it('is answered with null where the handler gives nothing', async () => {
    const method = await serve(async () => undefined);
    expect((await clientOf().call(method, {})).body).toBeNull();
  });

  it('brings the body and headers to the handler, with a reply_to and a correlation id', async () => {
    const method = await serve(async ({ body, headers, replyTo, correlationId, routingKey }) => ({
      ...{ body, caller: headers['x-caller'], routingKey },
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

  it('gets its own answer among a hundred at a time, whatever their order', async () => {
    const method = await serve(async ({ body }) => {
      await pause(Math.random() * 20);
      return body;
    });
    const client = clientOf();
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    const replies = await Promise.all(numbers.map((n) => client.call(method, n)));
    expect(replies.map(({ body }) => body)).toEqual(numbers);
  });

  it('expires with its time limit, so that nobody works on what nobody waits for', async () => {
    const method = await methodQueue();
    await expect(clientOf().call(method, 1, { timeoutMs: 200 })).rejects.toThrow(DeadlineError);
    await expect.poll(() => broker.count(method)).toBe(0);
  });
});

describe('a reply', () => {
  it('carries the correlation id and goes to the queue that reply_to names', async () => {
    const method = await serve(async () => 'done');
    const replies = await broker.queue('replies', {});
    await broker.send(method, {}, { replyTo: replies, correlationId: 'c-1' });
    const { content, properties } = await broker.take(replies);
    expect(content.toString()).toBe('done');
    expect(properties).toMatchObject({ correlationId: 'c-1', deliveryMode: 1 });
    expect(properties.type).toBeUndefined();
  });

  it('goes without a correlation id to a client that set none', async () => {
    const method = await serve(async () => 'done');
    const replies = await broker.queue('replies', {});
    await broker.send(method, {}, { replyTo: replies });
    expect((await broker.take(replies)).properties.correlationId).toBeUndefined();
  });

  it('to a client that has gone is no failure', async () => {
    const run = onCalls({ schema: z.unknown(), publisher }, async () => 'done');
    const { content, fields, properties } = await (async () => {
      const queue = await broker.queue('gone', {});
      await broker.send(queue, {}, { replyTo: 'no-such-queue' });
      return broker.take(queue);
    })();
    const event = toEvent({ arn: 'arn', queue: 'q', vhost: '/' }, [{ content, fields, properties }]);
    await expect(run(event)).resolves.toBeUndefined();
  });

  it('that can not be published fails the call, so that it is delivered again', async () => {
    const lost = {
      publish: async () => {
        throw new UnavailableError('broker', 'away');
      },
    };
    const queue = await broker.queue('lost', {});
    await broker.send(queue, {}, { replyTo: 'somewhere' });
    const { content, fields, properties } = await broker.take(queue);
    const run = onCalls({ schema: z.unknown(), publisher: lost }, async () => 'done');
    const event = toEvent({ arn: 'arn', queue: 'q', vhost: '/' }, [{ content, fields, properties }]);
    await expect(run(event)).rejects.toThrow(UnavailableError);
  });

  const refusing = (code: number) => {
    const published: OutgoingMessage[] = [];
    const publish = async (message: OutgoingMessage) => {
      published.push(message);
      if (published.length === 1)
        throw new PublishRefusedError(Object.assign(new Error('refused'), { code }));
      return { messageId: '1' };
    };
    const run = onCalls({ schema: z.unknown(), publisher: { publish } }, async () => 'done');
    const properties = { replyTo: 'somewhere', contentType: 'application/json' };
    const fields = { exchange: 'rpc', routingKey: 'q', redelivered: false };
    const event = toEvent({ arn: 'arn', queue: 'q', vhost: '/' }, [
      { content: Buffer.from('{}'), fields, properties },
    ]);
    return { published, running: run(event) };
  };

  it('that we have no right to send fails the call, and is not blamed on its address', async () => {
    const { published, running } = refusing(403);
    await expect(running).rejects.toThrow(PublishRefusedError);
    expect(published).toHaveLength(1);
  });

  it('that is larger than the broker takes becomes an error reply', async () => {
    const { published, running } = refusing(406);
    await running;
    const body = expect.objectContaining({ status: 500, title: 'The reply is too large' });
    expect(published[1]).toMatchObject({ exchange: '', routingKey: 'somewhere', type: 'error', body });
  });
});

describe('an error reply', () => {
  const schema = z.object({ path: z.string() });
  const problem = (status: number, title: string, detail?: string) => ({
    type: 'error',
    contentType: 'application/problem+json',
    body: { type: 'about:blank', title, status, ...(detail !== undefined && { detail }) },
  });

  it('tells a client what is wrong with its request', async () => {
    const method = await serveChecked(schema, async () => 'never');
    expect(await clientOf().call(method, { path: 7 })).toEqual(
      problem(422, 'The request can not be served', expect.stringContaining('path: ') as unknown as string),
    );
  });

  it('is what the handler says by CallError', async () => {
    const method = await serve(async () => {
      throw new CallError(404, 'No such picture', 'there is no 7');
    });
    expect(await clientOf().call(method, {})).toEqual(problem(404, 'No such picture', 'there is no 7'));
  });

  it('is 422 where the handler rejects, 503 where a part is away', async () => {
    const method = await serve(async ({ body }) => {
      throw body === 1 ? new RejectedError('not a picture') : new UnavailableError('storage', 'S3 is away');
    });
    const client = clientOf();
    expect(await client.call(method, 1)).toEqual(
      problem(422, 'The request can not be served', 'not a picture'),
    );
    expect(await client.call(method, 2)).toEqual(problem(503, 'A part this method needs is away'));
  });

  it('keeps the inside of an unexpected error to itself', async () => {
    const method = await serve(async () => {
      throw new Error('password authentication failed for user "warren"');
    });
    expect(await clientOf().call(method, {})).toEqual(problem(500, 'The method failed'));
  });

  it('answers where the result is nothing that JSON can hold', async () => {
    const method = await serve(async () => ({ id: 1n }));
    expect(await clientOf().call(method, {})).toEqual(problem(500, 'The method failed'));
  });

  it('answers a request that is not JSON', async () => {
    const method = await serve(async () => 'never');
    const replies = await broker.queue('replies', {});
    await broker.send(method, Buffer.from('quit'), { replyTo: replies, correlationId: 'c-1' });
    const { content, properties } = await broker.take(replies);
    expect(properties).toMatchObject({
      type: 'error',
      contentType: 'application/problem+json',
      correlationId: 'c-1',
    });
    expect(JSON.parse(content.toString())).toMatchObject({ status: 422 });
  });
});

describe('a call without reply_to', () => {
  it('goes to the dead letters unserved, for nobody can be told', async () => {
    let served = 0;
    const method = await serve(async () => {
      served += 1;
    });
    await broker.send(method, {}, { messageId: unique('message') });
    const [letter] = await expect
      .poll(() => listDeadLetters(stack.AMQP_URL, { queue: method }), { timeout: 10_000 })
      .toHaveLength(1)
      .then(() => dropLetters({ queue: method }, 1));
    expect(letter).toMatchObject({
      queue: method,
      reason: 'rejected',
      error: expect.stringMatching(/reply_to/),
    });
    expect(served).toBe(0);
  });
});

describe('a call that can not be answered', () => {
  it('fails at once where no queue serves the method', async () => {
    const client = clientOf();
    const startedAt = performance.now();
    await expect(client.call(unique('unknown'), {})).rejects.toThrow(UnroutableError);
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  it('fails when its time is up, and leaves its neighbours alone', async () => {
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

  it('passes over an answer that comes too late', async () => {
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

  it('fails within 5 seconds where the broker is away', async () => {
    const client = new RpcClient({ url: 'amqp://127.0.0.1:1', name: unique('nowhere') });
    clients.push(client);
    await expect(client.call('ping', {})).rejects.toThrow(UnavailableError);
  });

  it('says that the broker refused a wrong password', async () => {
    const url = new URL(stack.AMQP_URL);
    url.password = 'wrong';
    const client = new RpcClient({ url: url.href, name: unique('refused') });
    clients.push(client);
    await expect(client.call('ping', {})).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
  });

  it('is unavailable where the connection is cut while its reply queue is declared', async () => {
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

  it('is rejected when the client closes', async () => {
    const method = await methodQueue();
    const client = clientOf();
    const call = client.call(method, 1);
    const rejected = expect(call).rejects.toThrow(UnavailableError);
    await expect.poll(() => broker.count(method)).toBe(1);
    await client.close();
    await rejected;
  });
});

describe('a connection that is dead and does not show it', () => {
  const throughProxy = async (
    use: (client: RpcClient, freeze: () => void) => Promise<void>,
    options: { silentMs?: number } = {},
  ) => {
    const url = new URL(stack.AMQP_URL);
    const proxy = proxyTo(new URL(stack.AMQP_URL));
    await withFaultyServer(proxy.serve, async (port) => {
      url.host = `127.0.0.1:${port}`;
      const client = new RpcClient({
        ...{ url: url.href, name: unique('rpc-client'), answerMs: 500 },
        ...options,
      });
      try {
        await use(client, proxy.freeze);
      } finally {
        await client.close();
      }
    });
  };

  it('is found out before a call goes over it, where it was silent for a while', async () => {
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

  it('fails a call well before its time is up, and the next one works', async () => {
    const silent = await methodQueue('silent');
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

  it('is not assumed where a method is only slow', async () => {
    let release: (() => void) | undefined;
    const method = await serve(async ({ body }) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return body;
    });
    await throughProxy(async (client) => {
      const call = client.call(method, 'slow', { timeoutMs: 25_000 });
      // A good deal longer than the broker itself may take.
      await expect(client.call(await methodQueue('silent'), 1, { timeoutMs: 1500 })).rejects.toThrow(
        DeadlineError,
      );
      release?.();
      expect((await call).body).toBe('slow');
    });
  });
});

describe('a connection that was killed', () => {
  it('rejects every call in flight, and the next one works', async () => {
    const silent = await methodQueue('silent');
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
    // The broker had taken them: asking again would have called twice.
    expect(await broker.count(silent)).toBe(3);
  });

  it('is not seen by a call that comes just then and was not taken', async () => {
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
