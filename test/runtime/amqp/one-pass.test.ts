import type { Channel } from 'amqplib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readInOnePass } from '../../../runtime/amqp/one-pass/read-in-one-pass.ts';
import { arrivingCases } from '../../support/amqp-cases.ts';
import { delivery, type FramedMessage, frame, method, shortText, sized } from '../../support/amqp-frames.ts';
import { inOnePass, outcome, withAmqplib } from '../../support/amqp-outcome.ts';
import { amqpPair } from '../../support/amqp-pair.ts';

const full: FramedMessage = {
  channel: 1,
  consumerTag: 'one',
  deliveryTag: 1n,
  redelivered: 0,
  exchange: 'orders',
  routingKey: 'order.placed',
  properties: new Map([
    [15, shortText('application/json')],
    [13, sized(shortText('tenant'), Buffer.from('S'), sized(Buffer.from('acme')))],
    [12, Buffer.of(2)],
    [7, shortText('9b2d')],
  ]),
  body: Buffer.from('{"order":1}'),
  bodyLimit: 8192,
};
const nothing = { at: 0, what: 'nothing' } as const;

const [deliver, header, body] = delivery(full) as [Buffer, Buffer, Buffer];
/** A frame with another end. */
const endless = (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.of(0xcf)]);
/** The same message with other properties. */
const having = (properties: FramedMessage['properties']) => Buffer.concat(delivery({ ...full, properties }));
const table = (...fields: Uint8Array[]) => having(new Map([[13, sized(...fields)]]));
const field = (name: string, value: string) => Buffer.concat([shortText(name), Buffer.from(value, 'latin1')]);
const headerOf = (...payload: Uint8Array[]) =>
  Buffer.concat([deliver, frame(2, 1, Buffer.concat(payload)), body]);
const [basic, elevenBytes] = [Buffer.of(0, 60, 0, 0), Buffer.of(0, 0, 0, 0, 0, 0, 0, 11)];
const deep = (depth: number) => {
  const all = Buffer.alloc(depth * 5);
  for (let at = 0; at < depth; at += 1) {
    all.write('A', at * 5);
    all.writeUInt32BE((depth - at - 1) * 5, at * 5 + 1);
  }
  return Buffer.concat([shortText('deep'), all]);
};

const wrong: [string, Buffer][] = [
  ['a method with a wrong end', Buffer.concat([endless(deliver), header, body])],
  ['a header with a wrong end', Buffer.concat([deliver, endless(header), body])],
  ['a body with a wrong end', Buffer.concat([deliver, header, endless(body)])],
  ['a body that is longer than announced', Buffer.concat([deliver, header, frame(3, 1, Buffer.alloc(12))])],
  [
    'two bodies, the second as long as both',
    Buffer.concat([deliver, header, frame(3, 1, Buffer.of(1)), body]),
  ],
  ['an empty body before the whole', Buffer.concat([deliver, header, frame(3, 1, Buffer.alloc(0)), body])],
  ['a body of an empty message', Buffer.concat([...delivery({ ...full, body: Buffer.alloc(0) }), body])],
  [
    'a frame above the limit',
    Buffer.concat(delivery({ ...full, body: Buffer.alloc(8193), bodyLimit: 9000 })),
  ],
  ['a frame at the limit', Buffer.concat(delivery({ ...full, body: Buffer.alloc(8192), bodyLimit: 9000 }))],
  ['a method in place of a header', Buffer.concat([deliver, deliver, header, body])],
  ['a method in place of a body', Buffer.concat([deliver, header, deliver, header, body])],
  [
    'a header of another channel',
    Buffer.concat([deliver, delivery({ ...full, channel: 2 })[1] as Buffer, body]),
  ],
  ['a body of another channel', Buffer.concat([deliver, header, frame(3, 2, Buffer.alloc(11))])],
  ['a delivery on an unknown channel', Buffer.concat(delivery({ ...full, channel: 7 }))],
  ['a delivery on channel 0', Buffer.concat(delivery({ ...full, channel: 0 }))],
  ['a delivery for an unknown consumer', Buffer.concat(delivery({ ...full, consumerTag: 'gone' }))],
  [
    'a delivery that ends within its fields',
    Buffer.concat([method(1, 60, 60, Buffer.of(3, 1)), header, body]),
  ],
  [
    'a delivery with more than its fields',
    Buffer.concat([frame(1, 1, Buffer.concat([deliver.subarray(7, -1), Buffer.of(1)])), header, body]),
  ],
  ['a header of another class', headerOf(Buffer.of(0, 61, 0, 0), elevenBytes, Buffer.of(0, 0))],
  ['a header without flags', headerOf(basic, elevenBytes)],
  ['a size of 64 bits', headerOf(basic, Buffer.alloc(8, 0xff), Buffer.of(0, 0))],
  ['flags of no property', headerOf(basic, elevenBytes, Buffer.of(0x80, 0x03, 1, 97))],
  ['a continued set of flags', headerOf(basic, elevenBytes, Buffer.of(0x80, 0x01, 0, 0, 1, 97))],
  ['a property beyond the end', headerOf(basic, elevenBytes, Buffer.of(0x80, 0, 9, 97))],
  ['a table beyond the end', headerOf(basic, elevenBytes, Buffer.of(0x20, 0, 0, 0, 9, 9, 97))],
  ['more than the properties', headerOf(basic, elevenBytes, Buffer.of(0x10, 0, 2, 2))],
  ['a header text beyond its table', table(field('a', 'S\0\0\0\u0004'), Buffer.from('abc'))],
  ['a table beyond its table', table(field('a', 'F\0\0\0\u0009'), field('b', 'V'))],
  [
    'a nested text that reaches into the next field',
    table(field('a', 'F\0\0\0\u0009\u0001xS\0\0\0\u0005ab'), field('b', 'V')),
  ],
  ['an array that ends within a value', table(field('a', 'A\0\0\0\u0002I\0\0\0\u0001'))],
  ['a table that ends within a name', table(Buffer.of(9, 97))],
  ['a table that ends within a number', table(field('a', 'l\0'))],
  ['an unknown type', table(field('a', 'Q\u0001'))],
  ['a header __proto__', table(field('__proto__', 'F\0\0\0\u0003\u0001aV'), field('b', 'V'))],
  ['headers of one name', table(field('a', 'B\u0001'), field('b', 'V'), field('a', 'B\u0002'))],
  ['8 arrays in each other', table(deep(8))],
  ['100 arrays in each other', table(deep(100))],
  ['1,600 arrays in each other', table(deep(1600))],
];

describe('reading in one pass', () => {
  it('one pass: whatever arrives, messages, events, errors and answers are those of amqplib', async () => {
    await fc.assert(
      fc.asyncProperty(arrivingCases, async (arriving) => {
        const [before, now] = [await outcome(arriving, withAmqplib), await outcome(arriving, inOnePass)];
        expect(now).toStrictEqual(before);
      }),
      { numRuns: 500, interruptAfterTimeLimit: 50_000 },
    );
  }, 120_000);

  it.each(wrong)('one pass: %s ends as with amqplib', async (_, bytes) => {
    const chunks = [Buffer.concat([...delivery(full), bytes, ...delivery(full)])];
    const [before, now] = [
      await outcome({ chunks, act: nothing }, withAmqplib),
      await outcome({ chunks, act: nothing }, inOnePass),
    ];
    expect(now).toStrictEqual(before);
  });

  it('one pass: a delivery that is cut at any byte arrives whole, with the one before and the one after it', async () => {
    const frames = Buffer.concat([full, { ...full, bodyLimit: 4 }, full].flatMap(delivery));
    const whole = await outcome({ chunks: [frames], act: nothing }, withAmqplib);
    expect(whole.log).toHaveLength(3);
    for (let at = 1; at < frames.length; at += 1) {
      const chunks = [frames.subarray(0, at), frames.subarray(at)];
      expect(await outcome({ chunks, act: nothing }, inOnePass)).toStrictEqual(whole);
    }
  }, 60_000);

  it('one pass: whole deliveries do not reach amqplib, and others do', async () => {
    const { model, arrive } = await amqpPair();
    withAmqplib(model);
    const connection = model.connection as unknown as { recvFrame(): unknown };
    const read = connection.recvFrame;
    let frames = 0;
    connection.recvFrame = () => {
      const frame = read();
      if (frame) frames += 1;
      return frame;
    };
    readInOnePass(model);
    const channel = await model.createChannel();
    let messages = 0;
    await channel.consume(
      'queue',
      () => {
        messages += 1;
      },
      { consumerTag: 'one' },
    );
    frames = 0;
    const bytes = Buffer.concat([...delivery(full), ...delivery({ ...full, bodyLimit: 4 })]);
    await arrive(bytes);
    expect({ messages, frames }).toEqual({ messages: 2, frames: 0 });
    await arrive(bytes.subarray(0, 60));
    await arrive(bytes.subarray(60));
    expect(messages).toBe(4);
    expect(frames).toBeGreaterThan(0);
  });

  it.each([
    ['no rest', 'rest', undefined],
    ['no limit for frames', 'maxFrameSize', undefined],
    ['channels by a map', 'channels', new Map()],
    ['no numbers for channels', 'freshChannel', undefined],
    ['no function for frames', 'accept', undefined],
  ])('one pass: a connection with %s stays as it is', async (_, part, value) => {
    const { model } = await amqpPair();
    const parts = model.connection as unknown as Record<string, unknown>;
    parts[part] = value;
    const before = { ...parts };
    readInOnePass(model);
    expect({ ...parts }).toEqual(before);
  });

  const channelsAltered: [string, (channel: Channel & Record<string, unknown>) => void][] = [
    [
      'consumers in an object',
      (channel) => {
        channel['consumers'] = {};
      },
    ],
    [
      'no state',
      (channel) => {
        channel['handleMessage'] = undefined;
      },
    ],
    [
      'another listener',
      (channel) => {
        channel.on('delivery', () => undefined);
      },
    ],
  ];
  it.each(channelsAltered)('one pass: a channel with %s gets its messages from amqplib', async (_, alter) => {
    const { model, arrive } = await amqpPair();
    withAmqplib(model);
    const parts = model.connection as unknown as { freshChannel(channel: object): number };
    readInOnePass(model);
    const fresh = parts.freshChannel;
    const own: object[] = [];
    parts.freshChannel = (channel) => {
      const { consumers, handleMessage } = channel as Record<string, unknown>;
      alter(channel as Channel & Record<string, unknown>);
      const number = fresh(channel);
      Object.assign(channel, { consumers, handleMessage });
      own.push(channel);
      return number;
    };
    const channel = await model.createChannel();
    const dispatched: unknown[] = [];
    const dispatch = (channel as unknown as { dispatchMessage(fields: object, message: object): void })
      .dispatchMessage;
    Object.assign(channel, {
      dispatchMessage(fields: object, message: object) {
        dispatched.push(message);
        dispatch.call(channel, fields, message);
      },
    });
    const messages: unknown[] = [];
    await channel.consume('queue', (message) => messages.push(message), { consumerTag: 'one' });
    await arrive(Buffer.concat(delivery(full)));
    expect(messages).toHaveLength(1);
    expect(dispatched).toEqual(messages);
  });
});
