import type { GetMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { rabbitMQEvent, recordingPublisher } from 'warren/testing';
import { z } from 'zod';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import type { OutgoingMessage } from '../../../runtime/amqp/outgoing.ts';
import { PublishRefusedError } from '../../../runtime/amqp/publish-errors.ts';
import { Publisher, type PublisherLike } from '../../../runtime/amqp/publisher.ts';
import { RpcClient } from '../../../runtime/amqp/rpc-client.ts';
import { RejectedError, UnavailableError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { toEvent } from '../../../runtime/messages/event.ts';
import { onCalls } from '../../../runtime/messages/on-calls.ts';
import type { Message } from '../../../runtime/messages/received.ts';
import { CallError } from '../../../runtime/messages/reply.ts';
import { dropLetters, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { serveMethod } from '../../support/rpc.ts';
import { stack } from '../../support/stack.ts';
import { escapedId, withBinaryId } from '../../support/wire-fields.ts';

let broker: TestBroker;
let publisher: Publisher;
let client: RpcClient;

beforeAll(async () => {
  broker = await openBroker();
  publisher = new Publisher({ url: stack.AMQP_URL, name: unique('rpc-server') });
  client = new RpcClient({ url: stack.AMQP_URL, name: unique('rpc-client') });
});
afterAll(async () => {
  await client.close();
  await publisher.close();
  await broker.close();
});

const serve = (handle: (call: Message<unknown>) => Promise<unknown>) =>
  serveMethod({ broker, publisher, schema: z.unknown() }, handle);

describe('reply', () => {
  it('reply: it has the correlation id and goes to the queue in reply_to', async () => {
    const method = await serve(async () => 'done');
    const replies = await broker.queue('replies', {});
    await broker.send(method, {}, { replyTo: replies, correlationId: 'c-1' });
    const { content, properties } = await broker.take(replies);
    expect(content.toString()).toBe('done');
    expect(properties).toMatchObject({ correlationId: 'c-1', deliveryMode: 1 });
    expect(properties.type).toBeUndefined();
  });

  it('reply: it has the bytes of a binary correlation id', async () => {
    const connection = new BrokerConnection({ url: stack.AMQP_URL, name: 'binary id' });
    try {
      // Only our own connections keep the bytes.
      const channel = await connection.confirmChannel();
      const method = await serveMethod(
        { broker: { ...broker, channel }, publisher, schema: z.unknown() },
        async () => 'done',
      );
      const replies = await broker.queue('replies', {});
      withBinaryId(channel, (correlationId) =>
        channel.sendToQueue(method, Buffer.from('{}'), { replyTo: replies, correlationId }),
      );
      const arrived = async () => (await channel.get(replies, { noAck: true })) || undefined;
      const correlationId = async () => (await arrived())?.properties.correlationId as unknown;
      await expect.poll(correlationId, { timeout: 20_000 }).toBe(escapedId);
    } finally {
      await connection.close();
    }
  });

  it('reply: it has no correlation id if the request had none', async () => {
    const method = await serve(async () => 'done');
    const replies = await broker.queue('replies', {});
    await broker.send(method, {}, { replyTo: replies });
    expect((await broker.take(replies)).properties.correlationId).toBeUndefined();
  });

  it('reply: a client that has gone is no failure', async () => {
    const run = onCalls({ schema: z.unknown(), publisher }, async () => 'done');
    const { content, fields, properties } = await (async () => {
      const queue = await broker.queue('gone', {});
      await broker.send(queue, {}, { replyTo: 'no-such-queue' });
      return broker.take(queue);
    })();
    const event = toEvent({ arn: 'arn', queue: 'q', vhost: '/' }, [{ content, fields, properties }]);
    await expect(run(event)).resolves.toBeUndefined();
  });

  it('reply: one that is not confirmed before the deadline is lost, and its call is not made again', async () => {
    let tries = 0;
    const lost = {
      publish: async () => {
        tries += 1;
        throw new UnavailableError('broker', 'away');
      },
    };
    const queue = await broker.queue('lost', {});
    await broker.send(queue, {}, { replyTo: 'somewhere', expiration: 1000 });
    const { content, fields, properties } = await broker.take(queue);
    const run = onCalls({ schema: z.unknown(), publisher: lost }, async () => 'done');
    const event = toEvent({ arn: 'arn', queue: 'q', vhost: '/' }, [{ content, fields, properties }]);
    await expect(run(event)).resolves.toBeUndefined();
    expect(tries).toBeGreaterThan(1);
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

  it('reply: one that we have no right to send is tried once and lost', async () => {
    const { published, running } = refusing(403);
    await expect(running).resolves.toBeUndefined();
    expect(published).toHaveLength(1);
  });

  it('reply: one that is too large for the broker becomes an error reply', async () => {
    const { published, running } = refusing(406);
    await running;
    const body = expect.objectContaining({ status: 500, title: 'The reply is too large' });
    expect(published[1]).toMatchObject({ exchange: '', routingKey: 'somewhere', type: 'error', body });
  });
});

describe('a reply that is too large', () => {
  const call = (method: string) => client.call(method, {}, { timeoutMs: 20_000 });

  it.each<[string, () => unknown]>([
    ['a text', () => 'x'.repeat(20_000_000)],
    ['a value', () => Array.from({ length: 20_000 }, () => 'x'.repeat(1000))],
    ['bytes', () => Buffer.alloc(20_000_000)],
  ])('%s of 20 MB becomes an error reply at once, and the next call is served', async (_what, result) => {
    let calls = 0;
    const method = await serve(async () => {
      calls += 1;
      return calls === 1 ? result() : 'small';
    });
    expect(await call(method)).toMatchObject({
      type: 'error',
      body: {
        status: 500,
        title: 'The reply is too large',
        detail: expect.stringMatching(/^expected at most 4500000 bytes, got 20\d{6}$/),
      },
    });
    expect([(await call(method)).body, calls]).toEqual(['small', 2]);
  });

  it('the limit can be set for a method', async () => {
    const replies = recordingPublisher();
    const run = (maxReplyBytes: number) =>
      onCalls({ publisher: replies, maxReplyBytes }, async () => 'x'.repeat(100))(
        rabbitMQEvent([{ queue: 'method', replyTo: 'somewhere', body: {} }]),
      );
    await run(100);
    await run(99);
    expect(replies.published.map(({ type }) => type)).toEqual([undefined, 'error']);
  });
});

describe('error reply', () => {
  const schema = z.object({ path: z.string() });
  const problem = (status: number, title: string, detail?: string) => ({
    type: 'error',
    contentType: 'application/problem+json',
    content: expect.any(Buffer) as Buffer,
    body: { type: 'about:blank', title, status, ...(detail !== undefined && { detail }) },
  });

  it('error reply: it describes what is wrong with the request', async () => {
    const method = await serveMethod({ broker, publisher, schema }, async () => 'never');
    expect(await client.call(method, { path: 7 })).toEqual(
      problem(422, 'The request can not be served', expect.stringContaining('path: ') as unknown as string),
    );
  });

  it('error reply: a CallError of the handler sets status, title and detail', async () => {
    const method = await serve(async () => {
      throw new CallError(404, 'No such picture', 'there is no 7');
    });
    expect(await client.call(method, {})).toEqual(problem(404, 'No such picture', 'there is no 7'));
  });

  it('error reply: a RejectedError is 422, an UnavailableError is 503', async () => {
    const method = await serve(async ({ body }) => {
      throw body === 1 ? new RejectedError('not a picture') : new UnavailableError('storage', 'S3 is away');
    });
    expect(await client.call(method, 1)).toEqual(
      problem(422, 'The request can not be served', 'not a picture'),
    );
    expect(await client.call(method, 2)).toEqual(problem(503, 'A part this method needs is away'));
  });

  it('error reply: the text of an unexpected error is not sent', async () => {
    const method = await serve(async () => {
      throw new Error('password authentication failed for user "warren"');
    });
    expect(await client.call(method, {})).toEqual(problem(500, 'The method failed'));
  });

  it('error reply: a result that JSON cannot represent is answered with 500', async () => {
    const method = await serve(async () => ({ id: 1n }));
    expect(await client.call(method, {})).toEqual(problem(500, 'The method failed'));
  });

  it('error reply: a request that is not JSON is answered', async () => {
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

describe('request without reply_to', () => {
  it('request without reply_to: it is dead-lettered and not served', async () => {
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

  it('request without reply_to: without a log of its own, the function reports the dead letter on standard error', async () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      const run = onCalls({ schema: z.unknown(), publisher: recordingPublisher() }, async () => 'never');
      await run(rabbitMQEvent([{ queue: 'ping', body: {}, messageId: 'm-1' }]));
      expect(write.mock.calls.map(([line]) => JSON.parse(String(line)))).toMatchObject([
        { level: 'error', queue: 'ping', messageId: 'm-1', msg: 'call was dead-lettered' },
      ]);
    } finally {
      write.mockRestore();
    }
  });
});

describe('batch of calls', () => {
  /** The event for calls that a queue holds, as AWS's mapping sends it. */
  const eventOf = async (count: number, body: (n: number) => unknown, options: (n: number) => object) => {
    const queue = await broker.queue('batch', {});
    const deliveries: GetMessage[] = [];
    for (let n = 0; n < count; n += 1) await broker.send(queue, body(n), options(n));
    for (let n = 0; n < count; n += 1) deliveries.push(await broker.take(queue));
    return { queue, event: toEvent({ arn: 'arn', queue, vhost: '/' }, deliveries) };
  };

  it('batch of calls: of 60 calls with one reply that cannot be confirmed, each runs once', async () => {
    const replies = await broker.queue('replies', {});
    const options = (n: number) => ({
      replyTo: n === 7 ? 'unconfirmed' : replies,
      correlationId: String(n),
      expiration: 2000,
    });
    const { event } = await eventOf(60, (n) => n, options);
    const ran: unknown[] = [];
    const flaky: PublisherLike = {
      publish: (message) =>
        message.routingKey === 'unconfirmed'
          ? Promise.reject(new UnavailableError('broker', 'no confirm'))
          : publisher.publish(message),
    };
    const lost: unknown[] = [];
    const log = { ...silentLog, error: (...line: unknown[]) => void lost.push(line) };
    const run = onCalls({ schema: z.number(), publisher: flaky, log }, async ({ body }) => {
      ran.push(body);
      return body;
    });
    await expect(run(event)).resolves.toBeUndefined();
    const all = Array.from({ length: 60 }, (_, n) => n);
    expect(ran.toSorted((a, b) => Number(a) - Number(b))).toEqual(all);
    const answered = (await broker.drain(replies)).map(({ properties }) => Number(properties.correlationId));
    expect(answered.toSorted((a, b) => a - b)).toEqual(all.filter((n) => n !== 7));
    expect(lost).toHaveLength(1);
  }, 30_000);

  it('batch of calls: at most `concurrency` run at a time', async () => {
    const { event } = await eventOf(
      6,
      (n) => n,
      () => ({ replyTo: 'gone' }),
    );
    let [running, most] = [0, 0];
    const run = onCalls({ schema: z.number(), publisher, concurrency: 2 }, async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    });
    await run(event);
    expect(most).toBe(2);
  });

  it('batch of calls: a redelivered one is answered with an error and not made', async () => {
    const replies = await broker.queue('replies', {});
    const { event } = await eventOf(
      1,
      () => 1,
      () => ({ replyTo: replies }),
    );
    for (const message of Object.values(event.rmqMessagesByQueue).flat()) message.redelivered = true;
    let ran = 0;
    await onCalls({ schema: z.number(), publisher }, async () => {
      ran += 1;
    })(event);
    const { content } = await broker.take(replies);
    expect(JSON.parse(content.toString())).toMatchObject({ status: 500, title: 'The call was begun before' });
    expect(ran).toBe(0);
  });

  it('batch of calls: with `redeliveries`, a redelivered one goes back to its queue as a new message', async () => {
    const replies = await broker.queue('replies', {});
    const options = () => ({ replyTo: replies, correlationId: 'c-1', expiration: 60_000 });
    const { queue, event } = await eventOf(1, () => 1, options);
    for (const message of Object.values(event.rmqMessagesByQueue).flat()) message.redelivered = true;
    const run = onCalls({ schema: z.number(), publisher, redeliveries: 1 }, async () => 'made');
    await run(event);
    const copy = await broker.take(queue);
    expect(copy.fields.redelivered).toBe(false);
    expect(copy.properties).toMatchObject({ replyTo: replies, correlationId: 'c-1' });
    expect(Number(copy.properties.expiration)).toBeLessThanOrEqual(60_000);
    const again = toEvent({ arn: 'arn', queue, vhost: '/' }, [copy]);
    for (const message of Object.values(again.rmqMessagesByQueue).flat()) message.redelivered = true;
    await run(again);
    expect((await broker.take(replies)).properties.type).toBe('error');
    expect(await broker.count(queue)).toBe(0);
  });
});
