import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordingPublisher } from 'warren/testing';
import { z } from 'zod';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RejectedError, retry, UnavailableError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { type RabbitMQEvent, toEvent } from '../../../runtime/messages/event.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import type { Message } from '../../../runtime/messages/received.ts';
import { dropLetters, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { errorLines } from '../../support/error-lines.ts';
import { messageEvent } from '../../support/events.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
let publisher: Publisher;

beforeAll(async () => {
  broker = await openBroker();
  publisher = new Publisher({ url: stack.AMQP_URL, name: unique('messages') });
});
afterAll(async () => {
  await publisher.close();
  await broker.close();
});

const schema = z.object({ n: z.number() });

/** Takes messages out of a queue as one event. */
const eventFrom = async (queue: string, count: number): Promise<RabbitMQEvent> => {
  const taken = [];
  while (taken.length < count) taken.push(await broker.take(queue));
  return toEvent({ arn: 'arn', queue, vhost: '/' }, taken);
};

const failing = (error: unknown) =>
  onMessages({ schema, publisher }, async () => {
    throw error;
  });

describe('batch', () => {
  it('batch: each message is handled on its own', async () => {
    const queue = await broker.queue();
    for (const n of [1, 2, 3]) await broker.send(queue, { n });
    const seen: Message<{ n: number }>[] = [];
    const run = onMessages({ schema, publisher }, async (message) => seen.push(message));
    await run(await eventFrom(queue, 3));
    expect(seen.map(({ body, attempt }) => [body.n, attempt])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
  });

  it('batch: a bad message is dead-lettered with its reason, and its neighbors are handled', async () => {
    const queue = await broker.queue();
    const id = unique('message');
    await broker.send(queue, { n: 1 });
    await broker.send(queue, Buffer.from('quit'), { messageId: id });
    await broker.send(queue, { n: 3 });
    const seen: number[] = [];
    const run = onMessages({ schema, publisher }, async ({ body }) => seen.push(body.n));
    await run(await eventFrom(queue, 3));
    expect(seen).toEqual([1, 3]);
    const [letter, ...more] = await dropLetters({ queue }, 1);
    expect(more).toEqual([]);
    expect(letter).toMatchObject({
      id,
      queue,
      reason: 'rejected',
      body: 'quit',
      attempts: 1,
      error:
        'RejectedError: body: expected JSON in UTF-8, nested at most 100 deep, with at most 100000 values, got 4 bytes that are not',
    });
  });

  it('batch: concurrency limits the messages that are handled at a time', async () => {
    const queue = await broker.queue();
    for (let n = 0; n < 6; n += 1) await broker.send(queue, { n });
    let [running, max] = [0, 0];
    const run = onMessages({ schema, publisher, concurrency: 2 }, async () => {
      running += 1;
      max = Math.max(max, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    });
    await run(await eventFrom(queue, 6));
    expect(max).toBe(2);
  });
});

describe('rejected message', () => {
  it('rejected message: the dead letter has its origin', async () => {
    const [exchange, queue] = [await broker.exchange('topic'), await broker.queue()];
    await broker.channel.bindQueue(queue, exchange, 'critical.*');
    const messageId = unique('message');
    await broker.publish(exchange, 'critical.cpu', { n: 1 }, { messageId, contentType: 'application/json' });
    await failing(new RejectedError('contradicts what is stored'))(await eventFrom(queue, 1));
    const [letter] = await dropLetters({ id: messageId }, 1);
    expect(letter).toMatchObject({
      queue,
      exchange,
      routingKey: 'critical.cpu',
      reason: 'rejected',
      error: 'RejectedError: contradicts what is stored',
      contentType: 'application/json',
      body: '{"n":1}',
    });
  });

  it('rejected message: the dead letter gets a message id if the message had none', async () => {
    const queue = await broker.queue();
    await broker.send(queue, { n: 'one' });
    await failing(undefined)(await eventFrom(queue, 1));
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  });
});

describe('retried message', () => {
  it('retried message: it returns after its delay with one attempt more', async () => {
    const [exchange, queue] = [await broker.exchange('topic'), await broker.queue()];
    await broker.channel.bindQueue(queue, exchange, '#');
    const messageId = unique('message');
    const properties = { messageId, correlationId: 'c-1', headers: { city: 'Zürich' } };
    await broker.publish(exchange, 'critical.cpu', { n: 1 }, properties);
    const failedAt = performance.now();
    await failing(new UnavailableError('database', 'the database is away'))(await eventFrom(queue, 1));
    const again = await eventFrom(queue, 1);
    expect(performance.now() - failedAt).toBeGreaterThan(900);

    const seen: Message<{ n: number }>[] = [];
    await onMessages({ schema, publisher }, async (message) => seen.push(message))(again);
    expect(seen).toMatchObject([
      {
        queue,
        body: { n: 1 },
        attempt: 2,
        messageId,
        correlationId: 'c-1',
        exchange,
        routingKey: 'critical.cpu',
        headers: {
          city: 'Zürich',
          'x-warren-attempts': 1,
          'x-warren-faults': 0,
          'x-warren-error': 'UnavailableError: the database is away',
        },
      },
    ]);
    expect(await broker.count(queue)).toBe(0);
  });

  it('retried message: each failure takes the next delay, and the origin is kept', async () => {
    const [exchange, queue] = [await broker.exchange('topic'), await broker.queue()];
    await broker.channel.bindQueue(queue, exchange, '#');
    await broker.publish(exchange, 'critical.cpu', { n: 1 });
    const policy = { delays: [1, 1] };
    const handle = async () => {
      throw new TypeError('a bug');
    };
    const run = onMessages({ schema, publisher, policy }, handle);
    await run(await eventFrom(queue, 1));
    await run(await eventFrom(queue, 1));
    await run(await eventFrom(queue, 1));
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter).toMatchObject({
      reason: 'exhausted',
      attempts: 3,
      exchange,
      routingKey: 'critical.cpu',
      error: 'TypeError: a bug',
      headers: { 'x-warren-faults': 3 },
    });
    // RabbitMQ added x-death in the retry queue; it must not count as a death of this message.
    expect(letter?.headers).not.toHaveProperty('x-death');
    const { firstFailedAt, lastFailedAt } = letter ?? {};
    expect(Date.parse(String(lastFailedAt)) - Date.parse(String(firstFailedAt))).toBeGreaterThan(1800);
  });

  it('retried message: it returns without a routing key if the event had none, as on AWS', async () => {
    const queue = await broker.queue();
    await broker.send(queue, { n: 1 });
    const event = await eventFrom(queue, 1);
    // AWS's event has neither exchange nor routing key, and this publisher sent no header.
    for (const [message] of Object.values(event.rmqMessagesByQueue)) {
      if (message) message.basicProperties.headers = null;
    }
    await failing(new Error('later'))(event);
    const again = await broker.take(queue);
    expect(again.properties.headers).not.toHaveProperty('x-routing-key');
    expect(again.properties.headers).not.toHaveProperty('x-warren-routing-key');
  });

  it('retried message: it does not expire in the retry queue and is not sent to its CC again', async () => {
    const [queue, other] = [await broker.queue(), await broker.queue('copied')];
    const options = { expiration: '500', headers: { CC: [other] } };
    await broker.send(queue, { n: 1 }, options);
    await broker.take(other);
    await failing(new Error('later'))(await eventFrom(queue, 1));
    const again = await broker.take(queue);
    expect(again.properties.expiration).toBeUndefined();
    expect(again.properties.headers).toMatchObject({ 'x-warren-expiration': '500', 'x-warren-cc': [other] });
    expect(await broker.count(other)).toBe(0);
  });

  it('retried message: it may have the user id of another user', async () => {
    const queue = await broker.queue();
    const { username } = new URL(stack.AMQP_URL);
    await broker.send(queue, { n: 1 }, { userId: username });
    const event = await eventFrom(queue, 1);
    // A stand-in for another user: the broker refuses a message with a user id that is not the login's.
    for (const [message] of Object.values(event.rmqMessagesByQueue)) {
      if (message) message.basicProperties.userId = 'alert_user';
    }
    await failing(new RejectedError('no'))(event);
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter?.headers).toMatchObject({ 'x-warren-user-id': 'alert_user' });
  });
});

describe('onDeadLetter', () => {
  const notified: number[] = [];
  const failWith = async (
    error: unknown,
    { attempts = 0, notify = async () => undefined as unknown } = {},
  ) => {
    const recording = recordingPublisher();
    const copies = recording.published;
    const run = onMessages(
      {
        schema,
        publisher: recording,
        async onDeadLetter({ body }) {
          notified.push(body.n);
          await notify();
        },
      },
      async () => Promise.reject(error),
    );
    notified.length = 0;
    const headers = { 'x-warren-attempts': attempts, 'x-warren-faults': attempts };
    await run(messageEvent('queue', { n: 7 }, { headers }));
    return copies.map(({ routingKey, headers: sent }) => [routingKey, sent?.['x-warren-error']]);
  };

  it('onDeadLetter: it is called before a message is dead-lettered and not before a retry', async () => {
    const error = new Error('a bug');
    expect(await failWith(error, { attempts: 3 })).toEqual([['queue.retry.600s', 'Error: a bug']]);
    expect(notified).toEqual([]);
    expect(await failWith(error, { attempts: 4 })).toEqual([['queue', 'Error: a bug']]);
    expect(notified).toEqual([7]);
    expect(await failWith(new RejectedError('no'))).toEqual([['queue', 'RejectedError: no']]);
    expect(notified).toEqual([7]);
  });

  it('onDeadLetter: an UnavailableError in it retries the message, any other error dead-letters it', async () => {
    const error = new Error('a bug');
    const away = async () => Promise.reject(new UnavailableError('mail', 'away'));
    expect(await failWith(error, { attempts: 4, notify: away })).toEqual([
      ['queue.retry.600s', 'UnavailableError: away'],
    ]);
    const never = async () => Promise.reject(new Error('a bug in onDeadLetter'));
    expect(await failWith(error, { attempts: 4, notify: never })).toEqual([['queue', 'Error: a bug']]);
  });

  it('onDeadLetter: it is not called for a message with an invalid body', async () => {
    const recording = recordingPublisher();
    const copies = recording.published;
    const onDeadLetter = async () => notified.push(0);
    notified.length = 0;
    await onMessages(
      { schema, publisher: recording, onDeadLetter },
      async () => undefined,
    )(messageEvent('queue', Buffer.from('quit')));
    expect([copies.length, notified]).toEqual([1, []]);
  });
});

describe('message without a copy', () => {
  it('message without a copy: an unavailable broker fails the call, and its neighbors are handled', async () => {
    const lost = new Publisher({ url: 'amqp://127.0.0.1:1', name: unique('lost') });
    const queue = await broker.queue();
    await broker.send(queue, Buffer.from('quit'));
    await broker.send(queue, { n: 2 });
    const seen: number[] = [];
    const run = onMessages({ schema, publisher: lost }, async ({ body }) => seen.push(body.n));
    const running = run(await eventFrom(queue, 2));
    await expect(running).rejects.toThrow('1 of 2 messages could be neither finished nor republished');
    await expect(running).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
    expect(seen).toEqual([2]);
    await lost.close();
  });

  it('message without a copy: a copy that cannot be encoded fails the call with ERR_COPY_FAILED', async () => {
    const queue = await broker.queue();
    await broker.send(queue, Buffer.from('quit'));
    const impossible = {
      publish: (message: Parameters<Publisher['publish']>[0]) =>
        publisher.publish({ ...message, timestamp: -1 }),
    };
    const running = onMessages(
      { schema, publisher: impossible },
      async () => undefined,
    )(await eventFrom(queue, 1));
    await expect(running).rejects.toThrow('1 of 1 messages could be neither finished nor republished');
    await expect(running).rejects.toMatchObject({ code: 'ERR_COPY_FAILED' });
  });

  it('message without a copy: a copy that reaches no queue fails the call', async () => {
    const exchange = await broker.exchange('topic');
    const nowhere = {
      publish: (message: Parameters<Publisher['publish']>[0]) => publisher.publish({ ...message, exchange }),
    };
    const queue = await broker.queue();
    await broker.send(queue, Buffer.from('quit'));
    const run = onMessages({ schema, publisher: nowhere }, async () => undefined);
    await expect(run(await eventFrom(queue, 1))).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
    expect(await listDeadLetters(stack.AMQP_URL, { queue })).toEqual([]);
  });
});

describe('silence', () => {
  it('silence: without a log, a retry is a warning and a dead letter an error on standard error', async () => {
    const fail = (error: unknown) =>
      onMessages({ schema, publisher: recordingPublisher() }, async () => Promise.reject(error));
    const lines = await errorLines(async () => {
      await fail(new Error('a bug'))(messageEvent('queue', { n: 1 }, { messageId: 'm-1' }));
      await fail(new RejectedError('no'))(messageEvent('queue', { n: 1 }, { messageId: 'm-2' }));
    });
    expect(lines).toMatchObject([
      { level: 'warn', queue: 'queue', messageId: 'm-1', msg: 'message failed and will be retried' },
      { level: 'error', queue: 'queue', messageId: 'm-2', msg: 'message failed and was dead-lettered' },
    ]);
  });
});

describe('options', () => {
  it("options: isUnavailable of the function decides about its own errors, and keeps Warren's", async () => {
    class StripeConnectionError extends Error {
      override name = 'StripeConnectionError';
    }
    const isUnavailable = (error: unknown) => error instanceof StripeConnectionError;
    const notified: unknown[] = [];
    const fail = async (error: unknown, faults: number) => {
      const recording = recordingPublisher();
      const onDeadLetter = async (_message: unknown, given: unknown) => notified.push(given);
      const options = { schema, publisher: recording, isUnavailable, onDeadLetter, log: silentLog };
      const headers = { 'x-warren-attempts': 9, 'x-warren-faults': faults };
      await onMessages(options, async () => Promise.reject(error))(messageEvent('q', { n: 1 }, { headers }));
      return recording.published.map(({ exchange, headers: sent }) => [
        exchange,
        sent?.['x-warren-faults'],
        sent?.['x-warren-error'],
      ]);
    };
    expect(await fail(new StripeConnectionError('no route'), 9)).toEqual([
      ['warren.retry', 9, 'UnavailableError: StripeConnectionError: no route'],
    ]);
    expect(await fail(new UnavailableError('database', 'away'), 9)).toEqual([
      ['warren.retry', 9, 'UnavailableError: away'],
    ]);
    expect(await fail(new Error('a bug'), 9)).toEqual([['warren.dead', 10, 'Error: a bug']]);
    expect(notified).toEqual([new Error('a bug')]);
  });

  it('options: with schemas by type, a handler gets the body and the type that belong together', async () => {
    const schemas = { created: z.object({ id: z.number() }), deleted: z.object({ why: z.string() }) };
    const seen: unknown[] = [];
    const run = onMessages({ schemas, publisher: recordingPublisher(), log: silentLog }, async (message) => {
      seen.push(message.type === 'created' ? message.body.id : message.body.why);
    });
    await run(messageEvent('q', { id: 1 }, { type: 'created' }));
    await run(messageEvent('q', { why: 'x' }, { type: 'deleted' }));
    expect(seen).toEqual([1, 'x']);
  });

  it('options: retry(seconds) brings a message back after the delay that is not below it', async () => {
    const queue = await broker.queue();
    await broker.send(queue, { n: 1 });
    const run = onMessages({ schema, publisher, log: silentLog }, async () => retry(0.5));
    await run(await eventFrom(queue, 1));
    const again = await broker.take(queue);
    expect(again.properties.headers).toMatchObject({
      'x-warren-faults': 0,
      'x-warren-error': 'RetryLaterError: the work asked for a retry',
    });
  });
});
