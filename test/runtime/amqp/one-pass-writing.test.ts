/** What writing in one pass sends is what amqplib sends, and what it refuses fails with amqplib's error. */
import type { Channel, Options } from 'amqplib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { writeInOnePass } from '../../../runtime/amqp/one-pass/write-in-one-pass.ts';
import { amqpPair } from '../../support/amqp-pair.ts';
import { stack } from '../../support/stack.ts';

type Message = [exchange: string, routingKey: string, content: Buffer, options?: Options.Publish];

const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('', 'orders', 'order.placed', 'application/json', 'x'.repeat(80)) },
  { weight: 3, arbitrary: fc.string({ unit: 'grapheme', maxLength: 90 }) },
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(255), 'x'.repeat(256), 'é'.repeat(128), '\ud800', 'é') },
);
const number = fc.oneof(
  fc.integer(),
  fc.constantFrom(-129, -128, 127, 128, -32769, -32768, 32767, 32768, -0, 2 ** 31 - 1, 2 ** 31, -(2 ** 31)),
  fc.constantFrom(-(2 ** 31) - 1, 2 ** 53, 1.5, Number.NaN, Number.POSITIVE_INFINITY),
);
const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 8, arbitrary: text },
  { weight: 4, arbitrary: number },
  { weight: 2, arbitrary: fc.constantFrom(true, false, null, undefined) },
  { weight: 1, arbitrary: fc.constantFrom({ '!': 'timestamp', value: 5 }, [1, 'a'], { a: { b: 'c' } }) },
  { weight: 1, arbitrary: fc.constant(Buffer.from('bytes')) },
);
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('tenant', 'traceparent', '1', 'toString', '') },
  { weight: 1, arbitrary: text },
);
const wrong = fc.constantFrom(null, 5, {}, 'x'.repeat(300)) as fc.Arbitrary<never>;
const some = <Value>(arbitrary: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 30, arbitrary }, { weight: 1, arbitrary: wrong });
const options = fc.record(
  {
    contentType: some(text),
    contentEncoding: some(text),
    headers: fc.oneof(
      { weight: 9, arbitrary: fc.dictionary(name, value, { maxKeys: 4 }) },
      { weight: 1, arbitrary: fc.constantFrom(null, Object.create({ inherited: 'one' }), 'no table', []) },
    ),
    persistent: fc.constantFrom(true, false),
    deliveryMode: some(fc.constantFrom(1, 2, true, false, 256, -1, Number.NaN)) as fc.Arbitrary<never>,
    priority: some(fc.constantFrom(0, 9, 255, 256, -1, 0.5)),
    correlationId: some(text),
    replyTo: some(text),
    expiration: some(fc.oneof(fc.nat(), text)),
    messageId: some(text),
    timestamp: some(fc.constantFrom(0, 1, 1_764_390_000, 2 ** 32, 2 ** 53 - 1, 2 ** 53, -1, 0.5)),
    type: some(text),
    userId: some(text),
    appId: some(text),
    mandatory: fc.constantFrom(true, false),
    CC: fc.constantFrom('copy', ['one', 'two']),
  },
  { requiredKeys: [] },
);
const content = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(2000, 4096, 4097, 130_000, 300_000).map((size) => Buffer.alloc(size, 7)),
  },
  { weight: 1, arbitrary: fc.constantFrom('no bytes', undefined) as unknown as fc.Arbitrary<Buffer> },
);
const message = fc.tuple(some(text), some(text), content, fc.option(options, { nil: undefined, freq: 20 }));

/** A connection without a broker, and what its channels send. */
async function side(inOnePass: boolean) {
  const { model, arrive, sent, forget } = await amqpPair();
  if (inOnePass) writeInOnePass(model);
  const channels: Channel[] = [await model.createChannel(), await model.createConfirmChannel()];
  /** What a channel sends for these messages, or the errors in their place. */
  return async (messages: readonly Message[], confirms: boolean) => {
    const channel = channels[confirms ? 1 : 0] as Channel;
    forget();
    const outcomes = messages.map((each) => {
      try {
        return channel.publish(...each);
      } catch (error) {
        return String(error);
      }
    });
    await arrive(Buffer.alloc(0));
    const { unconfirmed } = channel as unknown as { unconfirmed: unknown[] };
    return { outcomes, unconfirmed: unconfirmed.length, bytes: sent().toString('latin1') };
  };
}

let connection: BrokerConnection | undefined;
afterEach(() => connection?.close());

describe('writing in one pass', () => {
  it('sends the bytes that amqplib sends, or throws what it throws', async () => {
    const messages = fc.array(message as unknown as fc.Arbitrary<Message>, { minLength: 1, maxLength: 4 });
    const [ours, amqplibs] = [await side(true), await side(false)];
    const same = fc.asyncProperty(messages, fc.boolean(), async (given, confirms) => {
      expect(await ours(given, confirms)).toEqual(await amqplibs(given, confirms));
    });
    await fc.assert(same, { numRuns: 1000 });
  });

  it('a table that does not fit is left to amqplib', async () => {
    const rows = (length: number) =>
      Object.fromEntries(Array.from({ length }, (_, at) => [`name-${at}`, 'x'.repeat(100)]));
    const [ours, amqplibs] = [await side(true), await side(false)];
    const tables: [Record<string, string>, number][] = [
      [rows(200), 1],
      [{ long: 'x'.repeat(20_000) }, 1],
      // It fits, and its body does not.
      [rows(130), 4000],
    ];
    for (const [headers, size] of tables) {
      const given: Message[] = [['', 'q', Buffer.alloc(size), { headers }]];
      expect(await ours(given, false)).toEqual(await amqplibs(given, false));
    }
  });

  it('a broker takes the messages, with their bodies and properties', async () => {
    connection = new BrokerConnection({ url: stack.AMQP_URL, name: 'one-pass-writing' });
    const channel = await connection.confirmChannel();
    expect(Object.hasOwn(channel, 'publish')).toBe(true);
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const sizes = [0, 1, 4096, 4097, 131_064, 131_065, 400_000];
    const headers = { tenant: 'münchen', n: -70_000, small: -3, yes: true, none: null };
    for (const size of sizes)
      channel.sendToQueue(queue, Buffer.alloc(size, size), { headers, messageId: `${size}` });
    await channel.waitForConfirms();
    for (const size of sizes) {
      const taken = await channel.get(queue, { noAck: true });
      expect(taken).toMatchObject({ properties: { headers, messageId: `${size}` } });
      expect(taken && Buffer.alloc(size, size).equals(taken.content)).toBe(true);
    }
  });

  it('a channel that is closing refuses messages as amqplib does', async () => {
    connection = new BrokerConnection({ url: stack.AMQP_URL, name: 'one-pass-writing' });
    const channel = await connection.channel();
    const closing = channel.close();
    expect(() => channel.publish('', 'q', Buffer.from('x'))).toThrow('Channel clos');
    await closing;
    expect(() => channel.publish('', 'q', Buffer.from('x'))).toThrow('Channel closed');
  });
});
