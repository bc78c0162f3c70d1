import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Requester } from '../../../runtime/amqp/requester.ts';
import { UnavailableError, UnroutableError } from '../../../runtime/base/errors.ts';
import { findConnection, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
const publishers: Requester[] = [];
beforeAll(async () => {
  broker = await openBroker();
});
afterEach(async () => {
  await Promise.all(publishers.splice(0).map((publisher) => publisher.close()));
});
afterAll(() => broker.close());

const publisherOf = (name = unique('answered'), url = stack.AMQP_URL) => {
  const publisher = new Requester({ url, name });
  publishers.push(publisher);
  return publisher;
};
const to = (routingKey: string, body: unknown = {}) => ({ exchange: '', routingKey, body });

describe('Requester', () => {
  it('requester: each of many messages gets its own answer', async () => {
    const queue = await broker.queue();
    await broker.channel.consume(
      queue,
      (message) => {
        if (!message) return;
        const { replyTo, correlationId } = message.properties;
        broker.channel.sendToQueue(replyTo, message.content, {
          correlationId,
          contentType: 'application/json',
        });
      },
      { noAck: true },
    );
    const publisher = publisherOf();
    const numbers = Array.from({ length: 50 }, (_, n) => n);
    const replies = await Promise.all(
      numbers.map((n) => publisher.publish(to(queue, n), { waitMs: 20_000 })),
    );
    expect(replies.map((reply) => reply?.body)).toEqual(numbers);
  });

  it('requester: a message without an answer stays in its queue, persistent and without an expiration', async () => {
    const queue = await broker.queue();
    expect(await publisherOf().publish(to(queue), { waitMs: 20 })).toBeUndefined();
    const { properties } = await broker.take(queue);
    expect(properties).toMatchObject({
      deliveryMode: 2,
      expiration: undefined,
      correlationId: expect.any(String),
    });
  });

  it('requester: a lost connection for replies loses no message, and the next message gets its answer', async () => {
    const [queue, name] = [await broker.queue(), unique('answered')];
    const publisher = publisherOf(name);
    await publisher.publish(to(queue), { waitMs: 20 });
    const replies = await findConnection(`${name} (replies)`);
    const waiting = publisher.publish(to(queue), { waitMs: 20_000 });
    await broker.take(queue);
    await broker.take(queue);
    await replies.kill();
    expect(await waiting).toBeUndefined();
    // The next answer arrives on a new connection.
    const next = publisher.publish(to(queue), { waitMs: 20_000 });
    const { replyTo, correlationId } = (await broker.take(queue)).properties;
    await broker.send(replyTo, 'done', { correlationId });
    expect(await next).toMatchObject({ body: 'done' });
  });

  it('requester: a message fails if it reaches no queue or the broker is unavailable', async () => {
    for (const waitMs of [0, 50]) {
      const nowhere = publisherOf().publish(to(unique('nowhere')), { waitMs });
      await expect(nowhere).rejects.toThrow(UnroutableError);
      const away = publisherOf(unique('away'), 'amqp://127.0.0.1:9').publish(to('queue'), { waitMs });
      await expect(away).rejects.toThrow(UnavailableError);
    }
  });

  it('requester: a message that the broker refuses fails at once', async () => {
    const queue = await broker.queue('full', {
      'x-queue-type': 'quorum',
      'x-max-length': 1,
      'x-overflow': 'reject-publish',
    });
    const publisher = publisherOf();
    const fill = async () => {
      for (;;) await publisher.publish(to(queue), { waitMs: 1 });
    };
    await expect(fill()).rejects.toThrow(UnavailableError);
    const startedAt = performance.now();
    await expect(publisher.publish(to(queue), { waitMs: 20_000 })).rejects.toThrow(UnavailableError);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
});
