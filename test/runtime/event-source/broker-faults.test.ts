import amqplib, { type ChannelModel, type ConfirmChannel } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RpcClient } from '../../../runtime/amqp/rpc-client.ts';
import { UnavailableError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { isUnavailable } from '../../../runtime/base/unavailable.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import type { Invoke } from '../../../runtime/event-source/invoke.ts';
import type { Mapping } from '../../../runtime/event-source/mapping.ts';
import { toEvent } from '../../../runtime/messages/event.ts';
import { onCalls } from '../../../runtime/messages/on-calls.ts';
import { readEvent } from '../../../runtime/messages/received.ts';
import { unique } from '../../support/broker.ts';
import { proxyTo, withFaultyServer } from '../../support/faults.ts';

let broker: PrivateBroker;
let connection: ChannelModel;
let channel: ConfirmChannel;
const cleanups: (() => Promise<unknown>)[] = [];
const wait = { timeout: 25_000, interval: 50 };

const connect = async () => {
  connection = await amqplib.connect(broker.url);
  // A broker of its own, because the tests break it.
  connection.on('error', () => undefined);
  channel = await connection.createConfirmChannel();
};

beforeAll(async () => {
  // A delivery that is held for longer than a second closes its channel; the broker looks every second.
  const settings = ['consumer_timeout = 1000', 'max_message_size = 1000000'];
  broker = await privateBroker(() => settings, '-rabbit channel_tick_interval 1000');
  await connect();
  await channel.assertExchange('rpc', 'direct', { durable: true });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  await connection.close().catch(() => undefined);
  await broker.close();
});

const queueOf = async (settings: Record<string, unknown> = { 'x-queue-type': 'quorum' }) => {
  const queue = unique('faults');
  await channel.assertQueue(queue, { durable: true, arguments: settings });
  return queue;
};

const fill = async (queue: string, bodies: readonly unknown[]) => {
  for (const body of bodies)
    channel.sendToQueue(queue, Buffer.from(JSON.stringify(body)), { persistent: true });
  await channel.waitForConfirms();
};
const left = async (queue: string) => (await channel.checkQueue(queue)).messageCount;
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

interface Fed {
  /** The bodies of all calls, in order. */
  seen: unknown[];
  /** The bodies of the calls that succeeded. */
  done: unknown[];
  consumers(): number;
  source: EventSource;
}

/** Feeds a function that records its messages. */
const feed = async (
  queue: string,
  work: (bodies: unknown[]) => Promise<void> = async () => undefined,
  { url = broker.url, ...settings }: Partial<Mapping> & { url?: string } = {},
): Promise<Fed> => {
  const mapping = {
    functionName: 'f',
    queue,
    vhost: '/',
    arn: 'arn',
    batchSize: 10,
    windowMs: 50,
    ...settings,
  };
  const fed = { seen: [] as unknown[], done: [] as unknown[] };
  let consumers = 0;
  const invoke: Invoke = async (event) => {
    const bodies = readEvent(event).map(({ content }) => JSON.parse(content.toString()) as unknown);
    fed.seen.push(...bodies);
    await work(bodies);
    fed.done.push(...bodies);
  };
  const source = new EventSource({
    url,
    mappings: [mapping],
    invoke: () => invoke,
    log: silentLog,
    observer: {
      consumers(_mapping, change) {
        consumers += change;
      },
    },
  });
  cleanups.push(() => source.stop());
  await source.start();
  return { ...fed, source, consumers: () => consumers };
};

const distinct = (bodies: readonly unknown[]) => new Set(bodies).size;

describe('a connection that is cut or freezes in the middle of a batch', () => {
  it.each(['cut', 'frozen'] as const)('a %s connection is made again, and loses no message', async (how) => {
    const queue = await queueOf();
    const proxy = proxyTo(new URL(broker.url));
    await withFaultyServer(proxy.serve, async (port) => {
      const url = broker.url.replace(String(broker.port), String(port));
      const atFifth: { go?: () => void } = {};
      const reached = new Promise<void>((resolve) => {
        atFifth.go = resolve;
      });
      let broken = false;
      const fed = await feed(
        queue,
        async (bodies) => {
          if (broken || !bodies.includes(5)) return;
          broken = true;
          proxy[how === 'cut' ? 'cut' : 'freeze']();
          atFifth.go?.();
        },
        // A frozen peer is noticed by its missing heartbeats.
        { url: `${url}?heartbeat=1` },
      );
      await fill(queue, upTo(50));
      await reached;
      await expect.poll(() => distinct(fed.done), wait).toBe(50);
      await expect.poll(() => left(queue), wait).toBe(0);
      await expect.poll(fed.consumers, wait).toBe(1);
      // A message that is handled twice was in flight at the fault: a batch, or two with the one before its acknowledgement.
      expect(fed.seen.length).toBeLessThanOrEqual(50 + 20);
      await fed.source.stop();
    });
  });
});

describe('a delivery that is held too long', () => {
  // RabbitMQ closes the channel up to 4.2, and only cancels the consumer from 4.3 on, which ignores the limit on classic queues.
  it('a consumer that the broker ends after a long hold subscribes again, and the message is delivered again', async () => {
    const queue = await queueOf();
    let calls = 0;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const fed = await feed(queue, async () => {
      calls += 1;
      if (calls === 1) await held;
    });
    await fill(queue, ['held']);
    // The broker takes the delivery back before the poller notices: the call continues.
    await expect.poll(() => left(queue), wait).toBe(1);
    release();
    await expect.poll(() => fed.done, wait).toEqual(['held', 'held']);
    await expect.poll(() => left(queue), wait).toBe(0);
    expect(fed.consumers()).toBe(1);
  });
});

describe('a broker that takes messages up to a size', () => {
  it('a message above it is refused by itself, and the error has both sizes', async () => {
    const queue = await queueOf();
    const publisher = new Publisher({ url: broker.url, name: unique('large') });
    cleanups.push(() => publisher.close());
    const publish = (body: Buffer) => publisher.publish({ exchange: '', routingKey: queue, body });
    const [small, large] = await Promise.allSettled([
      publish(Buffer.alloc(1000)),
      publish(Buffer.alloc(1_000_001)),
    ]);
    expect(small).toMatchObject({ status: 'fulfilled' });
    expect(large).toMatchObject({
      reason: {
        code: 'ERR_PUBLISH_REFUSED',
        replyCode: 406,
        message: expect.stringMatching(/1000001.*1000000/),
      },
    });
    // The message is at fault, and not the broker.
    expect(isUnavailable((large as PromiseRejectedResult).reason)).toBe(false);
  });

  it('a reply above it, which the method allows, is an error reply for its caller', async () => {
    const method = await queueOf({ 'x-queue-type': 'classic' });
    await channel.bindQueue(method, 'rpc', method);
    const publisher = new Publisher({ url: broker.url, name: unique('large') });
    const client = new RpcClient({ url: broker.url, name: unique('large') });
    cleanups.push(
      () => publisher.close(),
      () => client.close(),
    );
    const answer = onCalls({ publisher, log: silentLog }, async () => Buffer.alloc(2_000_000));
    await channel.consume(method, async (message) => {
      if (!message) return;
      await answer(toEvent({ arn: 'arn', queue: method, vhost: '/' }, [message]));
      channel.ack(message);
    });
    expect(await client.call(method, 1, { timeoutMs: 20_000 })).toMatchObject({
      type: 'error',
      body: { status: 500, title: 'The reply is too large' },
    });
  });
});

describe('a broker that raises its memory alarm', () => {
  it('a memory alarm: publishers fail in time, and acknowledgements still arrive', async () => {
    const [queue, other] = [await queueOf(), await queueOf()];
    await fill(queue, upTo(20));
    const publisher = new Publisher({ url: broker.url, name: unique('blocked'), deadlineMs: 500 });
    cleanups.push(() => publisher.close());
    const message = { exchange: '', routingKey: other, body: 1 };
    await publisher.publish(message);
    await broker.control('set_vm_memory_high_watermark', 'absolute', '1000');
    try {
      // The broker looks at its memory once a second.
      const refused = () => publisher.publish(message).catch((error: unknown) => error);
      await expect.poll(refused, wait).toBeInstanceOf(UnavailableError);
      const fed = await feed(queue);
      await expect.poll(() => distinct(fed.done), wait).toBe(20);
      await expect.poll(() => left(queue), wait).toBe(0);
    } finally {
      await broker.control('set_vm_memory_high_watermark', '0.6');
    }
    const before = await left(other);
    await expect
      .poll(
        () =>
          publisher.publish(message).then(
            () => true,
            () => false,
          ),
        wait,
      )
      .toBe(true);
    await expect.poll(() => left(other), wait).toBeGreaterThan(before);
  });
});

describe('a broker that ends and starts again', { timeout: 90_000 }, () => {
  it.each(['stop', 'kill'] as const)('after %s and start, all clients find the broker again', async (how) => {
    const [queue, waits] = [await queueOf(), await queueOf()];
    const method = await queueOf({ 'x-queue-type': 'classic' });
    await channel.bindQueue(method, 'rpc', method);
    if (how === 'kill') {
      // RabbitMQ 3.10 saves its list of quorum queues only from time to time, and when it stops.
      await broker.stop();
      await broker.start();
      await connect();
    }
    const publisher = new Publisher({ url: broker.url, name: unique('restart') });
    const client = new RpcClient({ url: broker.url, name: unique('restart') });
    cleanups.push(
      () => publisher.close(),
      () => client.close(),
    );
    const answer = onCalls({ schema: z.unknown(), publisher }, async ({ body }) => body);
    const served = new EventSource({
      url: broker.url,
      mappings: [{ functionName: 'm', queue: method, vhost: '/', arn: 'arn', batchSize: 1, windowMs: 0 }],
      invoke: () => answer,
      log: silentLog,
    });
    cleanups.push(() => served.stop());
    await served.start();
    const fed = await feed(queue);
    await publisher.publish({ exchange: '', routingKey: queue, body: 'before' });
    expect((await client.call(method, 'before')).body).toBe('before');
    await expect.poll(() => fed.done, wait).toEqual(['before']);
    await publisher.publish({ exchange: '', routingKey: waits, body: 'kept' });
    await broker[how]();
    await expect(publisher.publish({ exchange: '', routingKey: queue, body: 'away' })).rejects.toThrow(
      UnavailableError,
    );
    await expect(client.call(method, 'away')).rejects.toThrow(UnavailableError);
    await broker.start();
    await connect();
    const later = await feed(waits);
    await expect.poll(() => later.done, wait).toEqual(['kept']);
    await publisher.publish({ exchange: '', routingKey: queue, body: 'after' });
    await expect.poll(() => fed.done, wait).toContain('after');
    const called = () =>
      client.call(method, 'after').then(
        ({ body }) => body,
        () => undefined,
      );
    await expect.poll(called, wait).toBe('after');
  });

  it('an event source that starts while the broker is down waits for it', async () => {
    const queue = await queueOf();
    await fill(queue, ['waits']);
    await broker.stop();
    const fed = await feed(queue);
    expect(fed.consumers()).toBe(0);
    await broker.start();
    await connect();
    await expect.poll(() => fed.done, wait).toEqual(['waits']);
  });
});
