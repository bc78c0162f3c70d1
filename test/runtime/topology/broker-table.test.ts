import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { type Channel, type ChannelModel, type ConfirmChannel, connect, type GetMessage } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { joinTable, rawField, splitTable } from '../../../runtime/amqp/field-table.ts';
import { rawHeaders, withRawHeaders } from '../../../runtime/amqp/raw-headers.ts';
import { unique } from '../../support/broker.ts';
import { isAtLeast } from '../../support/broker-version.ts';

/** The versions of the table's columns, newest first: a broker has the column of the newest that is not above it. */
const versions = ['4.3', '4.0', '3.10'];

/** The cells of the table under "Brokers" in docs/event-source.md, by topic and version. */
async function readTable(): Promise<Map<string, Record<string, string>>> {
  const text = await readFile(new URL('../../../docs/event-source.md', import.meta.url), 'utf8');
  const [, section = ''] = /\n### Brokers\n(.*?)\n##/s.exec(text) ?? [];
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const [head = [], , ...body] = rows;
  const columns = head.slice(1).map((cell) => cell.replace('RabbitMQ ', ''));
  return new Map(
    body.map(([topic = '', ...cells]) => [
      topic,
      Object.fromEntries(columns.map((name, n) => [name, cells[n] ?? ''])),
    ]),
  );
}

const table = await readTable();
const wait = { timeout: 30_000, interval: 50 };

describe('the table of brokers', () => {
  let broker: PrivateBroker;
  let model: ChannelModel;
  let channel: ConfirmChannel;
  let column: string;

  beforeAll(async () => {
    // The broker ends a delivery after a second, and repeats a dead letter without a queue after a second.
    const erlang =
      '-rabbit channel_tick_interval 1000 -rabbit dead_letter_worker_publisher_confirm_timeout 1000';
    broker = await privateBroker(() => ['consumer_timeout = 1000'], erlang);
    model = await connect(broker.url);
    model.on('error', () => undefined);
    channel = await model.createConfirmChannel();
    column = versions.find((version) => isAtLeast({ channel }, version)) as string;
    await channel.close();
  }, 60_000);
  beforeEach(async () => {
    channel = await model.createConfirmChannel();
  });
  afterEach(() => channel.close());
  afterAll(async () => {
    await model.close();
    await broker.close();
  });

  const quorum = async (settings: Record<string, unknown> = {}): Promise<string> => {
    const queue = unique('table');
    await channel.assertQueue(queue, {
      durable: true,
      arguments: { 'x-queue-type': 'quorum', ...settings },
    });
    return queue;
  };
  const send = async (queue: string, headers = {}) => {
    channel.sendToQueue(queue, Buffer.from('body'), { persistent: true, headers });
    await channel.waitForConfirms();
  };
  /** Waits for a message. A test that holds it for long would meet the time limit of the first row. */
  const get = async (queue: string, from: Channel = channel, noAck = false): Promise<GetMessage> => {
    for (;;) {
      const message = await from.get(queue, { noAck });
      if (message !== false) return message;
      await setTimeout(20);
    }
  };

  /** What becomes of a consumer that holds a delivery. */
  const heldIn = async (settings: Record<string, unknown>): Promise<string> => {
    const queue = unique('held');
    await channel.assertQueue(queue, { durable: true, arguments: settings });
    const own = await model.createChannel();
    const events: string[] = [];
    own.on('error', () => undefined);
    own.on('close', () => events.push('closes the channel'));
    await own.consume(queue, (message) => {
      if (message === null) events.push('cancels the consumer');
    });
    const since = performance.now();
    await send(queue);
    await expect
      .poll(() => events.length > 0 || performance.now() - since > 8000, { timeout: 20_000, interval: 100 })
      .toBe(true);
    if (events.length === 0) events.push('does nothing');
    if (events[0] !== 'closes the channel') await own.close();
    return events[0] as string;
  };

  /** The broker's count of deliveries after one that ended in some way. */
  const countAfter = async (end: (message: GetMessage, on: Channel) => unknown): Promise<string> => {
    const queue = await quorum();
    await send(queue);
    const own = await model.createChannel();
    await end(await get(queue, own), own);
    const { properties } = await get(queue, channel, true);
    const count: unknown = properties.headers?.['x-delivery-count'];
    return count === undefined ? 'not counted' : `counted: ${count}`;
  };

  /** After how many deliveries a message is dead-lettered. */
  const deliveries = async (settings: Record<string, unknown>, back: 'nack' | 'reject'): Promise<string> => {
    const dead = await quorum();
    const target = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead };
    const queue = await quorum({ ...settings, ...target });
    await send(queue);
    let count = 0;
    const next = async () => {
      const message = await channel.get(queue, { noAck: false });
      if (message === false) return (await channel.checkQueue(dead)).messageCount > 0;
      count += 1;
      if (back === 'nack') channel.nack(message, false, true);
      else channel.reject(message, true);
      return count >= 30;
    };
    await expect.poll(next, { timeout: 30_000, interval: 5 }).toBe(true);
    return count >= 30 ? 'no limit' : `${count} deliveries`;
  };

  /** What becomes of a reply, on a connection of its own. */
  const answered = async (address: string): Promise<string> => {
    const own = await connect(broker.url);
    const events: string[] = [];
    own.on('error', (error: Error & { code?: number }) =>
      events.push(`closes the connection (${error.code})`),
    );
    const replies = await own.createConfirmChannel();
    replies.on('error', (error: Error & { code?: number }) =>
      events.push(`closes the channel (${error.code})`),
    );
    replies.on('return', ({ fields }) =>
      events.push(`is returned (${(fields as { replyCode?: number }).replyCode})`),
    );
    replies.publish('', address, Buffer.from(''), { mandatory: true });
    await replies.waitForConfirms().catch(() => undefined);
    await own.close().catch(() => undefined);
    return events[0] ?? 'is confirmed, and lost';
  };

  /** The order in which the headers of a message arrive. */
  const orderIn = async (type: string): Promise<string> => {
    const queue = unique('headers');
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': type } });
    const connection = new BrokerConnection({ url: broker.url, name: 'table' });
    const raw = await connection.confirmChannel();
    try {
      const names = ['c', 'a', 'b'];
      await withRawHeaders(raw, joinTable(names.map((name) => rawField(name, 1))), async () => {
        raw.publish('', queue, Buffer.from(''), { headers: {} });
      });
      await raw.waitForConfirms();
      const { properties } = await get(queue, raw, true);
      const arrived = splitTable(rawHeaders(properties) as Buffer).map(({ name }) => name);
      const own = arrived.filter((name) => names.includes(name)).join();
      return own === names.join() ? 'keep their order' : own === 'a,b,c' ? 'are sorted' : own;
    } finally {
      await connection.close();
    }
  };

  /** What becomes of a message with a size. */
  const sized = async (bytes: number): Promise<string> => {
    const queue = await quorum();
    const own = await model.createConfirmChannel();
    const events: string[] = [];
    own.on('error', ({ code }: Error & { code?: number }) => events.push(`closes the channel (${code})`));
    own.sendToQueue(queue, Buffer.alloc(bytes));
    await own.waitForConfirms().catch(() => undefined);
    if (events.length === 0) await own.close();
    await channel.deleteQueue(queue);
    return events[0] ?? 'is taken';
  };

  const observations: Record<string, () => Promise<string>> = {
    'a delivery that is held beyond `consumer_timeout`, in a quorum queue': () =>
      heldIn({ 'x-queue-type': 'quorum' }),
    'the same in a classic queue': () => heldIn({ 'x-queue-type': 'classic' }),
    'a delivery that `basic.nack` returns': () => countAfter((message, on) => on.nack(message, false, true)),
    'a delivery that `basic.reject` returns': () => countAfter((message, on) => on.reject(message, true)),
    'a delivery whose channel or connection is lost': () => countAfter((_message, on) => on.close()),
    'a quorum queue without `x-delivery-limit`, a message that is rejected': () => deliveries({}, 'reject'),
    '`x-delivery-limit: 3`, a message that is rejected': () =>
      deliveries({ 'x-delivery-limit': 3 }, 'reject'),
    '`x-delivery-limit: 3`, a message that `basic.nack` returns': () =>
      deliveries({ 'x-delivery-limit': 3 }, 'nack'),
    'at-least-once dead-lettering, while the target has no queue': async () => {
      const exchange = unique('dead');
      await channel.assertExchange(exchange, 'fanout', { durable: true });
      const queue = await quorum({
        'x-dead-letter-exchange': exchange,
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      });
      await send(queue);
      channel.reject(await get(queue), false);
      await expect.poll(async () => (await channel.checkQueue(queue)).messageCount, wait).toBe(0);
      const late = await quorum();
      await channel.bindQueue(late, exchange, '');
      await get(late, channel, true);
      return 'is kept, and delivered when there is one';
    },
    '`mandatory` to the direct reply-to address of a client that has gone': async () => {
      const queue = await quorum();
      const client = await model.createChannel();
      await client.consume('amq.rabbitmq.reply-to', () => undefined, { noAck: true });
      client.sendToQueue(queue, Buffer.from(''), { replyTo: 'amq.rabbitmq.reply-to' });
      const { properties } = await get(queue, channel, true);
      await client.close();
      return answered(properties.replyTo as string);
    },
    '`mandatory` to an invalid direct reply-to address': () => answered('amq.rabbitmq.reply-to.none.such'),
    'a message above 16 MiB, with the default `max_message_size`': () => sized(16 * 1024 * 1024 + 1),
    'passive declaration of a queue': async () => {
      const queue = await quorum();
      await send(queue);
      await send(queue);
      await get(queue);
      await expect.poll(async () => (await channel.checkQueue(queue)).messageCount, wait).toBe(1);
      return 'counts ready messages, without those in flight';
    },
    'headers of a message in a quorum queue': () => orderIn('quorum'),
    'the same, in a classic queue': () => orderIn('classic'),
  };

  it('the table of brokers has an observation for each of its rows, and a row for each observation', () => {
    expect([...table.keys()]).toEqual(Object.keys(observations));
    for (const cells of table.values()) expect(Object.keys(cells)).toEqual([...versions].reverse());
  });

  it.each(Object.keys(observations))(
    'the broker of this run does what the table states: %s',
    async (topic) => {
      expect(await observations[topic]?.()).toBe(table.get(topic)?.[column]);
    },
    60_000,
  );
});
