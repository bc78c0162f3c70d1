import type { GetMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RejectedError } from '../../../runtime/base/errors.ts';
import type { DeadLetter } from '../../../runtime/dead-letters/dead-letter.ts';
import {
  type DeadLetterKey,
  dropDeadLetters,
  listDeadLetters,
} from '../../../runtime/dead-letters/dead-letters.ts';
import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { toEvent } from '../../../runtime/messages/event.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { readEvent } from '../../../runtime/messages/received.ts';
import { dropLetters, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
let publisher: Publisher;

beforeAll(async () => {
  broker = await openBroker();
  publisher = new Publisher({ url: stack.AMQP_URL, name: unique('dead-letters') });
});
afterAll(async () => {
  await publisher.close();
  await broker.close();
});

/** Polls, because other tests also read the dead letters, which hides them for a moment. */
const lettersOf = async (queue: string, count: number): Promise<DeadLetter[]> => {
  await expect.poll(() => listed(queue), { timeout: 15_000, interval: 100 }).toHaveLength(count);
  return letters;
};
let letters: DeadLetter[] = [];
const listed = async (queue: string) => {
  letters = await listDeadLetters(stack.AMQP_URL, { queue });
  return letters;
};

const replay = async (queue: string, count: number): Promise<DeadLetterKey[]> => {
  const replayed: DeadLetterKey[] = [];
  const again = async () => {
    replayed.push(...(await replayDeadLetters(stack.AMQP_URL, { queue })).replayed);
    return replayed;
  };
  await expect.poll(again, { timeout: 15_000, interval: 100 }).toHaveLength(count);
  return replayed;
};

/** Makes the wrapper reject a queue's next message, which dead-letters it. */
const reject = async (queue: string) => {
  const run = onMessages({ schema: z.unknown(), publisher }, async () => {
    throw new RejectedError('no good');
  });
  await run(toEvent({ arn: 'arn', queue, vhost: '/' }, [await broker.take(queue)]));
};

/** Delivers a queue's next message until the broker dead-letters it. */
const exhaust = async (queue: string) => {
  await expect
    .poll(
      async () => {
        const message = await broker.channel.get(queue);
        if (message) broker.channel.reject(message, true);
        return message;
      },
      { timeout: 20_000, interval: 10 },
    )
    .toBe(false);
};

/** A work queue with its own exchange. */
const bound = async (): Promise<{ exchange: string; queue: string }> => {
  const [exchange, queue] = [await broker.exchange('topic'), await broker.queue()];
  await broker.channel.bindQueue(queue, exchange, '#');
  return { exchange, queue };
};

describe('listDeadLetters', () => {
  it('list: a dead letter has its origin, reason, error and times, and stays in its queue', async () => {
    const { exchange, queue } = await bound();
    const messageId = unique('message');
    await broker.publish(exchange, 'critical.cpu', { a: 1 }, { messageId, contentType: 'application/json' });
    await reject(queue);
    for (const [letter] of [await lettersOf(queue, 1), await lettersOf(queue, 1)]) {
      expect(letter).toMatchObject({
        id: messageId,
        queue,
        exchange,
        routingKey: 'critical.cpu',
        reason: 'rejected',
        error: 'RejectedError: no good',
        attempts: 1,
        firstFailedAt: expect.stringMatching(/^\d{4}-.*Z$/),
        lastFailedAt: expect.stringMatching(/^\d{4}-.*Z$/),
        contentType: 'application/json',
        body: '{"a":1}',
      });
    }
    await dropLetters({ queue }, 1);
  });

  it('list: a dead letter of the broker has its origin and reason', async () => {
    const { exchange, queue } = await bound();
    await broker.publish(exchange, 'critical.cpu', 'poison');
    await exhaust(queue);
    const [letter] = await lettersOf(queue, 1);
    expect(letter).toMatchObject({
      queue,
      exchange,
      routingKey: 'critical.cpu',
      reason: 'delivery_limit',
      body: '"poison"',
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    await dropLetters({ queue }, 1);
  });

  it('list: dead letters are listed oldest first, up to the limit, and by id', async () => {
    const queue = await broker.queue();
    for (const messageId of ['a', 'b', 'c']) {
      await broker.send(queue, messageId, { messageId: `${queue}-${messageId}` });
      await reject(queue);
    }
    expect((await lettersOf(queue, 3)).map(({ body }) => body)).toEqual(['"a"', '"b"', '"c"']);
    const firstTwo = async () =>
      (await listDeadLetters(stack.AMQP_URL, { queue }, 2)).map(({ body }) => body);
    await expect.poll(firstTwo).toEqual(['"a"', '"b"']);
    const meant = async () =>
      (await listDeadLetters(stack.AMQP_URL, { id: `${queue}-b` })).map(({ body }) => body);
    await expect.poll(meant).toEqual(['"b"']);
    expect(await listDeadLetters(stack.AMQP_URL, { id: `${queue}-b`, queue: 'other' })).toEqual([]);
    await dropLetters({ queue }, 3);
  });

  it('list: a dead letter survives any number of listings', async () => {
    const queue = await broker.queue();
    await broker.send(queue, 1);
    await reject(queue);
    for (let n = 0; n < 25; n += 1) await listDeadLetters(stack.AMQP_URL, { queue });
    await lettersOf(queue, 1);
    await dropLetters({ queue }, 1);
  });

  it('list: a body that is not text is listed as base64', async () => {
    const queue = await broker.queue();
    await broker.send(queue, Buffer.from([0xff, 0xd8]));
    await reject(queue);
    expect((await lettersOf(queue, 1))[0]?.body).toBe('/9g=');
    await dropLetters({ queue }, 1);
  });
});

describe('replayDeadLetters', () => {
  const historyOf = ({ properties }: GetMessage) =>
    Object.keys(properties.headers ?? {})
      .filter((name) => /^x-warren-|death/.test(name))
      .sort();

  it('replay: a dead letter returns to its queue like a new message', async () => {
    const { exchange, queue } = await bound();
    const properties = {
      messageId: unique('message'),
      contentType: 'application/json',
      correlationId: 'c-1',
      type: 'order',
      headers: { city: 'Zürich' },
    };
    await broker.publish(exchange, 'critical.cpu', { a: 1 }, properties);
    await reject(queue);
    expect((await replay(queue, 1))[0]).toMatchObject({ id: properties.messageId });
    const message = await broker.take(queue);
    expect(message.content.toString()).toBe('{"a":1}');
    expect(message.properties).toMatchObject({ ...properties, headers: { city: 'Zürich' }, deliveryMode: 2 });
    expect(historyOf(message)).toEqual(['x-warren-exchange', 'x-warren-routing-key']);
    expect(message.properties.headers?.['x-delivery-count'] ?? 0).toBe(0);
    const [read] = readEvent(toEvent({ arn: 'arn', queue, vhost: '/' }, [message]));
    expect(read).toMatchObject({ attempt: 1, exchange, routingKey: 'critical.cpu' });
    expect(await listDeadLetters(stack.AMQP_URL, { queue })).toEqual([]);
  });

  it('replay: a dead letter of the broker returns with its origin and without x-death', async () => {
    const { exchange, queue } = await bound();
    await broker.publish(exchange, 'critical.cpu', 'poison');
    await exhaust(queue);
    await replay(queue, 1);
    const message = await broker.take(queue);
    expect(historyOf(message)).toEqual(['x-warren-exchange', 'x-warren-routing-key']);
    expect(message.properties.headers?.['x-delivery-count'] ?? 0).toBe(0);
    const [read] = readEvent(toEvent({ arn: 'arn', queue, vhost: '/' }, [message]));
    expect(read).toMatchObject({ attempt: 1, exchange, routingKey: 'critical.cpu' });
  });

  it('replay: a dead letter whose queue was deleted stays and is reported', async () => {
    const queue = await broker.queue();
    await broker.send(queue, 1);
    await reject(queue);
    await broker.remove(queue);
    await expect
      .poll(() => replayDeadLetters(stack.AMQP_URL, { queue }), { timeout: 15_000 })
      .toEqual({ replayed: [], stayed: [{ id: expect.any(String), queue, reason: 'rejected' }] });
    await lettersOf(queue, 1);
    await dropLetters({ queue }, 1);
  });

  it('replay: dead letters of other queues stay', async () => {
    const [one, other] = [await broker.queue(), await broker.queue()];
    for (const queue of [one, other]) {
      await broker.send(queue, 1);
      await reject(queue);
    }
    await replay(one, 1);
    expect(await broker.count(one)).toBe(1);
    expect(await broker.count(other)).toBe(0);
    await lettersOf(other, 1);
    await dropLetters({ queue: other }, 1);
  });
});

describe('dropDeadLetters', () => {
  it('drop: only matching dead letters are deleted', async () => {
    const queue = await broker.queue();
    for (const id of ['a', 'b']) {
      await broker.send(queue, id, { messageId: `${queue}-${id}` });
      await reject(queue);
    }
    await dropLetters({ id: `${queue}-a` }, 1);
    expect((await lettersOf(queue, 1)).map(({ body }) => body)).toEqual(['"b"']);
    await dropLetters({ queue }, 1);
    expect(await dropDeadLetters(stack.AMQP_URL, { queue })).toEqual([]);
  });
});
