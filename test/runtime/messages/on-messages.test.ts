import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordingPublisher } from 'warren/testing';
import { z } from 'zod';
import { createPublisher, type Publisher } from '../../../runtime/amqp/publisher.ts';
import { RejectedError, UnavailableError } from '../../../runtime/base/errors.ts';
import { listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { type RabbitMQEvent, toEvent } from '../../../runtime/messages/event.ts';
import { type Message, onMessages } from '../../../runtime/messages/on-messages.ts';
import { dropLetters, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { messageEvent } from '../../support/events.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
let publisher: Publisher;

beforeAll(async () => {
  broker = await openBroker();
  publisher = createPublisher({ url: stack.AMQP_URL, name: unique('messages') });
});
afterAll(async () => {
  await publisher.close();
  await broker.close();
});

const schema = z.object({ n: z.number() });

/** Takes so many messages out of a queue, as one event. */
const eventFrom = async (queue: string, count: number): Promise<RabbitMQEvent> => {
  const taken = [];
  while (taken.length < count) taken.push(await broker.take(queue));
  return toEvent({ arn: 'arn', queue, vhost: '/' }, taken);
};

const failing = (error: unknown) =>
  onMessages({ schema, publisher }, async () => {
    throw error;
  });

describe('a batch', () => {
  it('is handled message by message', async () => {
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

  it('with one bad message works on its neighbours, and sets the bad one aside with the reason', async () => {
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
      error: 'RejectedError: body: expected JSON in UTF-8, nested at most 100 deep, got 4 bytes that are not',
    });
  });

  it('is worked on no more than so many at a time', async () => {
    const queue = await broker.queue();
    for (let n = 0; n < 6; n += 1) await broker.send(queue, { n });
    let [running, most] = [0, 0];
    const run = onMessages({ schema, publisher, concurrency: 2 }, async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    });
    await run(await eventFrom(queue, 6));
    expect(most).toBe(2);
  });
});

describe('a message that can never work', () => {
  it('is in the dead letters with where it came from', async () => {
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

  it('gets a message id where it had none', async () => {
    const queue = await broker.queue();
    await broker.send(queue, { n: 'one' });
    await failing(undefined)(await eventFrom(queue, 1));
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  });
});

describe('a message that may work later', () => {
  it('comes home after its delay, one attempt older, and works', async () => {
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

  it('waits for its next delay after it came home and failed again, and its origin is not lost', async () => {
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
    // It came out of a retry queue, and what RabbitMQ wrote on it there must not count as its own death.
    expect(letter?.headers).not.toHaveProperty('x-death');
    const { firstFailedAt, lastFailedAt } = letter ?? {};
    expect(Date.parse(String(lastFailedAt)) - Date.parse(String(firstFailedAt))).toBeGreaterThan(1800);
  });

  it('does not come home with a routing key that nobody knew, as on AWS', async () => {
    const queue = await broker.queue();
    await broker.send(queue, { n: 1 });
    const event = await eventFrom(queue, 1);
    // AWS's event tells neither exchange nor routing key, and this publisher said nothing in a header.
    for (const [message] of Object.values(event.rmqMessagesByQueue)) {
      if (message) message.basicProperties.headers = null;
    }
    await failing(new Error('later'))(event);
    const again = await broker.take(queue);
    expect(again.properties.headers).not.toHaveProperty('x-routing-key');
    expect(again.properties.headers).not.toHaveProperty('x-warren-routing-key');
  });

  it('does not expire while it waits, nor go to those it was copied to before', async () => {
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

  it('may have been sent by another user', async () => {
    const queue = await broker.queue();
    const { username } = new URL(stack.AMQP_URL);
    await broker.send(queue, { n: 1 }, { userId: username });
    const event = await eventFrom(queue, 1);
    // Somebody else's, as it were: the broker refuses a message with a user id that is not the login's.
    for (const [message] of Object.values(event.rmqMessagesByQueue)) {
      if (message) message.basicProperties.userId = 'alert_user';
    }
    await failing(new RejectedError('no'))(event);
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter?.headers).toMatchObject({ 'x-warren-user-id': 'alert_user' });
  });
});

describe('a message that is given up', () => {
  const told: number[] = [];
  const giveUp = async (error: unknown, { attempts = 0, tell = async () => undefined as unknown } = {}) => {
    const recording = recordingPublisher();
    const copies = recording.published;
    const run = onMessages(
      {
        ...{ schema, publisher: recording },
        async onGivenUp({ body }) {
          told.push(body.n);
          await tell();
        },
      },
      async () => Promise.reject(error),
    );
    told.length = 0;
    const headers = { 'x-warren-attempts': attempts, 'x-warren-faults': attempts };
    await run(messageEvent('queue', { n: 7 }, { headers }));
    return copies.map(({ exchange, headers: sent }) => [exchange, sent?.['x-warren-error']]);
  };

  it('is told of before it goes to the dead letters, and not before its last try', async () => {
    const error = new Error('a bug');
    expect(await giveUp(error, { attempts: 3 })).toEqual([['warren.retry.600s', 'Error: a bug']]);
    expect(told).toEqual([]);
    expect(await giveUp(error, { attempts: 4 })).toEqual([['warren.dead', 'Error: a bug']]);
    expect(told).toEqual([7]);
    expect(await giveUp(new RejectedError('no'))).toEqual([['warren.dead', 'RejectedError: no']]);
    expect(told).toEqual([7]);
  });

  it('is tried again where nobody can be told for now, and given up where nobody ever can', async () => {
    const error = new Error('a bug');
    const away = async () => Promise.reject(new UnavailableError('mail', 'away'));
    expect(await giveUp(error, { attempts: 4, tell: away })).toEqual([
      ['warren.retry.600s', 'UnavailableError: away'],
    ]);
    const never = async () => Promise.reject(new Error('a bug in telling'));
    expect(await giveUp(error, { attempts: 4, tell: never })).toEqual([['warren.dead', 'Error: a bug']]);
  });

  it('is not told of where it makes no sense', async () => {
    const recording = recordingPublisher();
    const copies = recording.published;
    const onGivenUp = async () => told.push(0);
    told.length = 0;
    await onMessages(
      { schema, publisher: recording, onGivenUp },
      async () => undefined,
    )(messageEvent('queue', Buffer.from('quit')));
    expect([copies.length, told]).toEqual([1, []]);
  });
});

describe('a message that can not be set aside', () => {
  it('fails the call, and its neighbours are worked on all the same', async () => {
    const lost = createPublisher({ url: 'amqp://127.0.0.1:1', name: unique('lost') });
    const queue = await broker.queue();
    await broker.send(queue, Buffer.from('quit'));
    await broker.send(queue, { n: 2 });
    const seen: number[] = [];
    const run = onMessages({ schema, publisher: lost }, async ({ body }) => seen.push(body.n));
    const running = run(await eventFrom(queue, 2));
    await expect(running).rejects.toThrow('1 of 2 messages could be neither finished nor set aside');
    await expect(running).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
    expect(seen).toEqual([2]);
    await lost.close();
  });

  it('is not to be waited for where nobody could publish its copy', async () => {
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
    await expect(running).rejects.toThrow('1 of 1 messages could be neither finished nor set aside');
    await expect(running).rejects.not.toHaveProperty('code');
  });

  it('fails the call too where the copy would reach no queue', async () => {
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
