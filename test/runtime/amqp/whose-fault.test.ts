/** The rows of the broker in docs/guarantees.md: what it answers to a publisher and to a consumer, and whose fault it is. */
import type { Socket } from 'node:net';
import { connect } from 'amqplib';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { isUnavailable } from '../../../runtime/base/unavailable.ts';
import type { EventSource } from '../../../runtime/event-source/event-source.ts';
import { management, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { proxyTo, withFaultyServer } from '../../support/faults.ts';
import { feeding, messagesIn, patience } from '../../support/feeding.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
const user = unique('rights');
const url = Object.assign(new URL(stack.AMQP_URL), { username: user, password: 's3cr3t' }).href;
const cleanups: (() => Promise<unknown>)[] = [];

const grant = (rights: Partial<Record<'write' | 'read', string>>) =>
  management('PUT', `/permissions/%2F/${user}`, { configure: '', write: '', read: '', ...rights });

beforeAll(async () => {
  broker = await openBroker();
  await management('PUT', `/users/${user}`, { password: 's3cr3t', tags: '' });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  await management('DELETE', `/users/${user}`);
  await broker.close();
});

const publisherAt = (at: string) => {
  const publisher = new Publisher({ url: at, name: unique('fault') });
  cleanups.push(() => publisher.close());
  return publisher;
};

describe('a publish', () => {
  it('to an exchange that is missing is refused, and the error names the exchange', async () => {
    const exchange = unique('missing');
    const refused = await publisherAt(stack.AMQP_URL)
      .publish({ exchange, routingKey: 'x', body: 1 })
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'ERR_PUBLISH_REFUSED', replyCode: 404 });
    expect(String(refused)).toContain(exchange);
    expect(isUnavailable(refused)).toBe(true);
  });

  it('without the right is refused and names the exchange, and works once it is granted', async () => {
    await grant({});
    const queue = await broker.queue();
    const exchange = await broker.exchange('direct');
    await broker.channel.bindQueue(queue, exchange, 'x');
    const publisher = publisherAt(url);
    const publish = () => publisher.publish({ exchange, routingKey: 'x', body: 1 });
    const refused = await publish().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'ERR_PUBLISH_REFUSED', replyCode: 403 });
    expect(String(refused)).toContain(exchange);
    expect(String(refused)).not.toContain('s3cr3t');
    expect(isUnavailable(refused)).toBe(true);
    await grant({ write: '.*' });
    await expect.poll(() => publish().then(() => 'sent', String), patience).toBe('sent');
  });

  it('that no queue takes is the fault of the message or of the topology', async () => {
    const publishing = publisherAt(stack.AMQP_URL).publish({
      exchange: '',
      routingKey: unique('none'),
      body: 1,
    });
    const error = await publishing.catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'ERR_UNROUTABLE' });
    expect(isUnavailable(error)).toBe(false);
  });

  // AMQP 0-9-1, 1.1: forced by an operator, frame error, channel error, unexpected frame, not implemented, internal error.
  it.each([320, 501, 504, 505, 540, 541])(
    'whose connection the broker closes with %i is made again on another connection',
    async (code) => {
      const queue = await broker.queue();
      const proxy = proxyTo(new URL(stack.AMQP_URL));
      let closed = 0;
      const closing = (socket: Socket) => {
        socket.on('data', (data: Buffer) => {
          if (closed > 0 || !data.includes(basicPublish)) return;
          closed += 1;
          socket.write(connectionClose(code));
        });
        proxy.serve(socket);
      };
      await withFaultyServer(closing, async (port) => {
        const publisher = publisherAt(Object.assign(new URL(stack.AMQP_URL), { port }).href);
        await publisher.publish({ exchange: '', routingKey: queue, body: 1, messageId: 'same' });
        await publisher.close();
      });
      expect(closed).toBe(1);
      // The first one may have arrived too, with the same id.
      const ids = (await broker.drain(queue)).map(({ properties }) => properties.messageId as unknown);
      expect(new Set(ids)).toEqual(new Set(['same']));
    },
  );
});

describe('a consumer', () => {
  const consuming = async (queue: string, at = stack.AMQP_URL) => {
    const lines: { msg: string; err?: { message: string } }[] = [];
    const log = pino(
      { level: 'warn', serializers: { err: (error: Error) => ({ message: error.message }) } },
      { write: (line: string) => void lines.push(JSON.parse(line)) },
    );
    const bodies: unknown[] = [];
    const source: EventSource = await feeding(
      queue,
      async (event) => void bodies.push(...messagesIn(event).map(({ body }) => body)),
      { url: at, log },
    );
    cleanups.push(() => source.stop());
    const warned = () => lines.find(({ msg }) => msg === 'cannot subscribe, retrying')?.err?.message;
    return { bodies, warned };
  };

  /** Declares a queue on a connection of its own, because a refusal closes the channel. */
  const declare = async (queue: string) => {
    const other = await connect(stack.AMQP_URL);
    try {
      const channel = await other.createChannel();
      channel.on('error', () => undefined);
      await channel.assertQueue(queue, { durable: true });
    } finally {
      await other.close();
    }
  };

  it('without the right waits, its log names the queue, and it consumes once the right is granted', async () => {
    await grant({});
    const queue = await broker.queue();
    await broker.send(queue, 'waits');
    const { bodies, warned } = await consuming(queue, url);
    await expect.poll(warned, patience).toMatch(/ACCESS_REFUSED/);
    expect(warned()).toContain(queue);
    expect([bodies, await broker.count(queue)]).toEqual([[], 1]);
    await grant({ read: '.*' });
    await expect.poll(() => bodies, patience).toEqual(['waits']);
  });

  it('of a queue that another connection has for itself waits, and consumes when that connection ends', async () => {
    const queue = unique('exclusive');
    const owner = await connect(stack.AMQP_URL);
    const channel = await owner.createChannel();
    await channel.assertQueue(queue, { exclusive: true });
    const { bodies, warned } = await consuming(queue);
    await expect.poll(warned, patience).toMatch(/RESOURCE_LOCKED/);
    await owner.close();
    // On RabbitMQ 4.3 the queue may remain for a moment after its connection, and the declaration is refused.
    await vi.waitFor(() => declare(queue), patience);
    cleanups.push(() => broker.channel.deleteQueue(queue));
    await broker.send(queue, 'free');
    await expect.poll(() => bodies, patience).toEqual(['free']);
  });
});

/** The class and method of basic.publish (AMQP 0-9-1, 1.8.3.7). */
const basicPublish = Buffer.from([0, 60, 0, 40]);

/** The frame of connection.close (AMQP 0-9-1, 1.4.2.9) with a reply code. */
function connectionClose(code: number): Buffer {
  const text = Buffer.from('TEST - closed by a test');
  const method = Buffer.alloc(4 + 2 + 1 + text.length + 4);
  method.writeUInt16BE(10, 0);
  method.writeUInt16BE(50, 2);
  method.writeUInt16BE(code, 4);
  method.writeUInt8(text.length, 6);
  text.copy(method, 7);
  const head = Buffer.alloc(7);
  head.writeUInt8(1, 0);
  head.writeUInt32BE(method.length, 3);
  return Buffer.concat([head, method, Buffer.from([0xce])]);
}
