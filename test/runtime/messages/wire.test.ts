/** Bytes in, bytes out: the wire of a message before and after each kind of copy. */
import type { GetMessage } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { joinTable, type RawField, rawField } from '../../../runtime/amqp/field-table.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { withRawHeaders, withRawTexts } from '../../../runtime/amqp/raw-headers.ts';
import { wireTimestamp } from '../../../runtime/amqp/raw-texts.ts';
import { RejectedError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import { type Handler, inProcess } from '../../../runtime/hosts/in-process.ts';
import type { RabbitMQEvent } from '../../../runtime/messages/event.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { recordingPublisher } from '../../../runtime/testing/recording-publisher.ts';
import { deadExchange, deadLetters } from '../../../runtime/topology/names.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';
import { byName, escapedId, fieldsOf, wireFields, withBinaryId } from '../../support/wire-fields.ts';

const retryQueue = 'work.retry.600s';
const properties = {
  contentType: 'application/json',
  contentEncoding: 'identity',
  messageId: 'm',
  correlationId: 'c',
  replyTo: 'r',
  type: 't',
  appId: 'a',
  priority: 3,
  timestamp: 1_732_838_400_123,
};
const body = Buffer.from('\ufeff {"order":9007199254740993, "sum":1.10}\n');

let vhost: TestVhost;
/** Connections of ours: only they keep the bytes of the headers that they receive. */
let connection: BrokerConnection;
let channel: Awaited<ReturnType<BrokerConnection['confirmChannel']>>;
let source: EventSource | undefined;

beforeAll(async () => {
  vhost = await openVhost({ queues: { work: {}, idle: {} }, retryDelays: [600] });
  connection = new BrokerConnection({ url: vhost.url, name: 'wire' });
  channel = await connection.confirmChannel();
});
afterEach(async () => {
  await source?.stop();
  for (const queue of ['work', 'idle', retryQueue, deadLetters]) await channel.purgeQueue(queue);
});
afterAll(async () => {
  await connection.close();
  await vhost.close();
});

const send = async (exchange: string, queue: string, content = body, ours: RawField[] = []) => {
  const table = joinTable([...wireFields, ...ours]);
  withRawHeaders(channel, table, () =>
    channel.publish(exchange, queue, content, { ...properties, headers: {}, persistent: true }),
  );
  await channel.waitForConfirms();
};
const take = (queue: string) =>
  expect
    .poll(
      async () => {
        taken = await channel.get(queue, { noAck: true });
        return taken !== false;
      },
      { timeout: 20_000 },
    )
    .toBe(true);
let taken: GetMessage | false = false;

/** Starts to consume, and returns the events that the function gets. */
const feed = async (handler: Handler<RabbitMQEvent>, maxMessageBytes?: number) => {
  const events: RabbitMQEvent[] = [];
  const mapping = {
    functionName: 'f',
    queue: 'work',
    vhost: '/',
    arn: 'a',
    batchSize: 10,
    windowMs: 0,
    maxMessageBytes,
  };
  const load = async (): Promise<Handler<RabbitMQEvent>> => async (event, context) => {
    events.push(event);
    return handler(event, context);
  };
  source = new EventSource({
    url: vhost.url,
    mappings: [{ ...mapping, policy: { delays: [600], maxAge: 86_400 } }],
    invoke: () => inProcess({ functionName: 'f', load, timeoutMs: 60_000 }),
    log: silentLog,
  });
  await source.start();
  return events;
};
const wrapper = (error: Error, publisher = recordingPublisher()) =>
  onMessages(
    { schema: z.unknown(), publisher, policy: { delays: [600] }, policies: {}, log: silentLog },
    async () => {
      throw error;
    },
  );

/** Compares the message that was taken with the one that was sent. */
const expectWire = (content = body) => {
  if (!taken) throw new Error('nothing was taken');
  expect(taken.content.equals(content)).toBe(true);
  expect(taken.properties).toMatchObject(properties);
  const theirs = new Set(wireFields.map(({ name }) => name));
  expect(byName(fieldsOf(taken).filter(({ name }) => theirs.has(name)))).toEqual(byName(wireFields));
  expect(taken.properties.headers).not.toHaveProperty('x-warren-headers-left');
};

describe('bytes in, bytes out', () => {
  it.each([
    ['of a wrapped function', () => wrapper(new Error('later')), retryQueue],
    ['of a plain function', () => async () => Promise.reject(new Error('later')), retryQueue],
    ['that is rejected', () => wrapper(new RejectedError('never')), deadLetters],
  ])(
    'wire: the copy of a message %s has its body, properties and headers byte by byte',
    async (_which, make, queue) => {
      await feed(make());
      await send('', 'work');
      await take(queue);
      expectWire();
    },
  );

  it.each([2n ** 64n - 1n, 1_764_428_400_123_456_789n])(
    'wire: the timestamp %d, which a number of JavaScript cannot hold, survives a dead letter and a replay',
    async (timestamp) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(timestamp);
      const publish = async (exchange: string, queue: string, headers: object) => {
        withRawTexts(channel, new Map([['timestamp', bytes]]), () =>
          channel.publish(exchange, queue, body, { timestamp: 0, headers }),
        );
        await channel.waitForConfirms();
      };
      const timestampOf = async (queue: string) => {
        await take(queue);
        return wireTimestamp((taken as GetMessage).properties);
      };
      await feed(wrapper(new RejectedError('never')));
      await publish('', 'work', {});
      expect(await timestampOf(deadLetters)).toBe(timestamp);
      await publish(deadExchange, 'idle', { 'x-warren-queue': 'idle', 'x-warren-reason': 'rejected' });
      expect((await replayDeadLetters(vhost.url)).replayed).toHaveLength(1);
      expect(await timestampOf('idle')).toBe(timestamp);
    },
  );

  it('wire: a message with a body alone gets an id, and no other property, in its copy and after its replay', async () => {
    const none = { contentType: undefined, timestamp: undefined, type: undefined, replyTo: undefined };
    await feed(wrapper(new RejectedError('never')));
    channel.sendToQueue('work', body);
    await take(deadLetters);
    if (!taken) throw new Error('nothing was taken');
    expect(taken.properties).toMatchObject({ ...none, messageId: expect.any(String) });
    const headers = { 'x-warren-queue': 'idle', 'x-warren-reason': 'rejected' };
    channel.publish(deadExchange, 'idle', body, { headers });
    await channel.waitForConfirms();
    expect((await replayDeadLetters(vhost.url)).replayed).toHaveLength(1);
    await take('idle');
    if (!taken) throw new Error('nothing was taken');
    expect(taken.properties).toMatchObject(none);
  });

  it.each(['long ago', '2999-01-01T00:00:00.000Z'])(
    'wire: a copy has the time of its first failure in place of %j, so that it can be too old',
    async (first) => {
      const from = Date.now();
      await feed(wrapper(new Error('later')));
      await send('', 'work', body, [rawField('x-warren-first-failed-at', first)]);
      await take(retryQueue);
      expectWire();
      const { 'x-warren-first-failed-at': at } = (taken as unknown as GetMessage).properties.headers ?? {};
      expect(Date.parse(at)).toBeGreaterThanOrEqual(from);
      expect(Date.parse(at)).toBeLessThanOrEqual(Date.now());
    },
  );

  it('wire: the event has the bytes of texts that are not UTF-8, also in tables and arrays', async () => {
    const events = await feed(async () => undefined);
    const nested = Buffer.concat([
      Buffer.from('F\0\0\0\u000b\u0001nA\0\0\0\u0006S\0\0\0\u0001'),
      Buffer.of(0xe9),
    ]);
    nested.writeUInt32BE(nested.length - 5, 1);
    await send('', 'work', body, [{ name: 'nested', value: nested }]);
    await expect.poll(() => events.length, { timeout: 20_000 }).toBe(1);
    const [message] = Object.values(events[0]?.rmqMessagesByQueue ?? {}).flat();
    expect(message?.basicProperties.headers).toMatchObject({
      int32: 5,
      uint32: 0xffff_ffff,
      float: 1.5,
      decimal: 21474959.93,
      text: { bytes: [97, 98, 99] },
      'text that is not UTF-8': { bytes: [0xe9, 0x74, 0xe9, 0] },
      bytes: { bytes: [0xff, 0xfe, 0, 0x80] },
      nested: { n: [{ bytes: [0xe9] }] },
    });
  });

  it.each([
    ['a retry', new Error('later'), retryQueue],
    ['a dead letter', new RejectedError('never'), deadLetters],
  ])('wire: %s has the bytes of a binary correlation id', async (_which, error, queue) => {
    const events = await feed(wrapper(error));
    withBinaryId(channel, (correlationId) =>
      channel.sendToQueue('work', body, { ...properties, correlationId }),
    );
    await take(queue);
    if (!taken) throw new Error('nothing was taken');
    expect(taken.content.equals(body)).toBe(true);
    expect(taken.properties).toMatchObject({ ...properties, correlationId: escapedId });
    expect(events).toHaveLength(1);
  });

  it('wire: a replay has the bytes of a binary correlation id', async () => {
    const headers = { 'x-warren-queue': 'idle', 'x-warren-reason': 'rejected' };
    withBinaryId(channel, (correlationId) =>
      channel.publish(deadExchange, 'idle', body, { ...properties, correlationId, headers }),
    );
    await channel.waitForConfirms();
    expect((await replayDeadLetters(vhost.url)).replayed).toHaveLength(1);
    await take('idle');
    if (!taken) throw new Error('nothing was taken');
    expect(taken.properties).toMatchObject({ ...properties, correlationId: escapedId });
  });

  it('wire: a message above maxMessageBytes is dead-lettered with its body, properties and headers byte by byte', async () => {
    await feed(async () => undefined, 1000);
    const large = Buffer.alloc(2000, 'x');
    await send('', 'work', large);
    await take(deadLetters);
    expectWire(large);
  });

  it('wire: a replay returns body, properties and headers byte by byte, without the headers about the failure', async () => {
    const failure = [rawField('x-warren-queue', 'idle'), rawField('x-warren-reason', 'rejected')];
    await send(deadExchange, 'idle', body, [...failure, rawField('x-warren-sub', '7')]);
    expect((await replayDeadLetters(vhost.url)).replayed).toHaveLength(1);
    await take('idle');
    expectWire();
    const ours = taken
      ? Object.keys(taken.properties.headers ?? {}).filter((name) => name.startsWith('x-'))
      : [];
    expect(ours.filter((name) => name !== 'x-delivery-count')).toEqual(['x-warren-sub']);
  });

  it("wire: behind AWS's mapping a copy keeps bytes, and names the headers whose value the event has lost", async () => {
    const events = await feed(async () => undefined);
    await send('', 'work');
    await expect.poll(() => events.length, { timeout: 20_000 }).toBe(1);
    await source?.stop();
    const publisher = new Publisher({ url: vhost.url, name: 'wire' });
    try {
      const key = Object.keys(events[0]?.rmqMessagesByQueue ?? {})[0] ?? '';
      expect(key).toBe(`work::${vhost.name}`);
      await wrapper(new RejectedError('never'), publisher as never)(JSON.parse(JSON.stringify(events[0])));
    } finally {
      await publisher.close();
    }
    await take(deadLetters);
    if (!taken) throw new Error('nothing was taken');
    expect(taken.content.equals(body)).toBe(true);
    expect(taken.properties.headers).toMatchObject({
      text: 'abc',
      'text that is not UTF-8': Buffer.from([0xe9, 0x74, 0xe9, 0]),
      bytes: Buffer.from([0xff, 0xfe, 0, 0x80]),
      // RabbitMQ 4 sorts the headers of a message.
      'x-warren-headers-left': expect.stringMatching(/^(int64, array, table|array, int64, table)$/),
    });
    expect(Object.keys(taken.properties.headers ?? {})).not.toContain('int64');
  });
});
