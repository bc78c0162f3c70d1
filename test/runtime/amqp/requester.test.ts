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

describe('a message that may be answered', () => {
  it('resolves with its own answer, and as soon as it comes', async () => {
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

  it('is safe without one: persistent, with no expiration, still in its queue', async () => {
    const queue = await broker.queue();
    expect(await publisherOf().publish(to(queue), { waitMs: 20 })).toBeUndefined();
    const { properties } = await broker.take(queue);
    expect(properties).toMatchObject({
      deliveryMode: 2,
      expiration: undefined,
      correlationId: expect.any(String),
    });
  });

  it('is safe where the connection is lost by which the answer would have come', async () => {
    const [queue, name] = [await broker.queue(), unique('answered')];
    const publisher = publisherOf(name);
    await publisher.publish(to(queue), { waitMs: 20 });
    const replies = await findConnection(`${name} (replies)`);
    const waiting = publisher.publish(to(queue), { waitMs: 20_000 });
    await broker.take(queue);
    await broker.take(queue);
    await replies.kill();
    expect(await waiting).toBeUndefined();
    // The next one is waited for on a new connection.
    const next = publisher.publish(to(queue), { waitMs: 20_000 });
    const { replyTo, correlationId } = (await broker.take(queue)).properties;
    await broker.send(replyTo, 'done', { correlationId });
    expect(await next).toMatchObject({ body: 'done' });
  });

  it('is refused where no queue takes it, or the broker is away', async () => {
    for (const waitMs of [0, 50]) {
      const nowhere = publisherOf().publish(to(unique('nowhere')), { waitMs });
      await expect(nowhere).rejects.toThrow(UnroutableError);
      const away = publisherOf(unique('away'), 'amqp://127.0.0.1:9').publish(to('queue'), { waitMs });
      await expect(away).rejects.toThrow(UnavailableError);
    }
  });

  it('is refused where the broker takes no more, and not waited for then', async () => {
    const queue = await broker.queue('full', {
      ...{ 'x-queue-type': 'quorum', 'x-max-length': 1, 'x-overflow': 'reject-publish' },
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
