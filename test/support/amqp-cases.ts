/** What may arrive on a connection, for fast-check: messages of all kinds, other frames, and bytes that are wrong. */
import fc from 'fast-check';
import { delivery, type FramedMessage, frame, method, returned, shortText, sized } from './amqp-frames.ts';

const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const text = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('', 'orders', 'order.placed', 'application/json', 'x'.repeat(80)) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) },
);
const rawText = fc.oneof(
  { weight: 6, arbitrary: text.map(shortText) },
  { weight: 1, arbitrary: bytes(20).map(shortText) },
);
const name = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom('x-death', 'count', 'tenant', 'a', '1', 'toString', 'constructor'),
  },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', '', 'x'.repeat(255)) },
  { weight: 1, arbitrary: bytes(8) },
);
const tagged = (tag: string, value: Uint8Array) => Buffer.concat([Buffer.from(tag), value]);
const sizes = { t: 1, b: 1, B: 1, s: 2, u: 2, I: 4, i: 4, l: 8, f: 4, d: 8, D: 5, T: 8, V: 0 };
const fixed = fc.oneof(
  ...Object.entries(sizes).map(([tag, size]) => exactly(size).map((value) => tagged(tag, value))),
  // Around the limits of what a number holds.
  fc.bigInt({ min: (1n << 53n) - 3n, max: (1n << 53n) + 3n }).map((value) => {
    const integer = Buffer.alloc(8);
    integer.writeBigInt64BE(value);
    return tagged('l', integer);
  }),
);
const strange = fc.oneof(
  exactly(3).map((value) => tagged('Q', value)),
  fc.constant(tagged('S', Buffer.of(0, 0, 1, 0))),
  fc.constant(Buffer.concat(Array.from({ length: 12 }, () => tagged('A', Buffer.of(0, 0, 0, 60))))),
);
const { table, value } = fc.letrec<{ value: Buffer; table: Buffer }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 20, arbitrary: text.map((each) => tagged('S', sized(Buffer.from(each)))) },
    { weight: 20, arbitrary: fixed },
    { weight: 3, arbitrary: bytes(20).map((each) => tagged('x', sized(each))) },
    { weight: 2, arbitrary: bytes(20).map((each) => tagged('S', sized(each))) },
    { weight: 6, arbitrary: tie('table').map((each) => tagged('F', each)) },
    {
      weight: 6,
      arbitrary: fc.array(tie('value'), { maxLength: 3 }).map((each) => tagged('A', sized(...each))),
    },
    { weight: 1, arbitrary: strange },
  ),
  table: fc
    .array(fc.tuple(name.map(shortText), tie('value')), { maxLength: 4 })
    .map((fields) => sized(...fields.flat())),
}));
/** A value in so many arrays. */
const nested = fc.tuple(value, fc.integer({ min: 5, max: 40 })).map(([inner, depth]) =>
  sized(
    shortText('deep'),
    Array.from({ length: depth }).reduce<Buffer>((all) => tagged('A', sized(all)), inner),
  ),
);
const octet = fc.oneof(fc.constantFrom(1, 2), fc.nat(255)).map((each) => Buffer.of(each));
const timestamp = fc.oneof(
  fc.constant(Buffer.of(0, 0, 0, 0, 0x65, 0xe0, 0, 0)),
  exactly(8).map((each) => Buffer.from(each)),
);
const headers = fc.oneof({ weight: 20, arbitrary: table }, { weight: 1, arbitrary: nested });
const properties = fc
  .record(
    Object.fromEntries(
      Array.from({ length: 14 }, (_, index) => {
        const kinds: Record<number, fc.Arbitrary<Buffer>> = {
          13: headers,
          12: octet,
          11: octet,
          6: timestamp,
        };
        return [15 - index, kinds[15 - index] ?? rawText];
      }),
    ),
    { requiredKeys: [] },
  )
  .map((some) => new Map(Object.entries(some).map(([bit, each]) => [Number(bit), each as Buffer])));

const message: fc.Arbitrary<FramedMessage> = fc.record({
  channel: fc.constantFrom(1, 1, 1, 2),
  consumerTag: fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom('one', 'two') },
    { weight: 1, arbitrary: fc.constant('gone') },
  ),
  deliveryTag: fc.oneof(fc.bigInt({ min: 1n, max: 1000n }), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })),
  redelivered: fc.constantFrom(0, 1, 1, 255),
  exchange: text,
  routingKey: fc.oneof({ weight: 5, arbitrary: text }, { weight: 1, arbitrary: bytes(9) }),
  properties: fc.oneof(
    { weight: 9, arbitrary: properties },
    { weight: 1, arbitrary: fc.constant(new Map()) },
  ),
  body: fc.oneof({ weight: 5, arbitrary: bytes(60) }, { weight: 1, arbitrary: exactly(9000) }),
  bodyLimit: fc.constantFrom(1, 7, 25, 8192, 8192, 8192, 8193).map((limit) => limit),
});
/** A body of 9,000 frames would only take time. */
const sane = message.map((each) =>
  each.body.length > 60 ? { ...each, bodyLimit: Math.max(4000, each.bodyLimit) } : each,
);

const deliveries = sane.map(delivery);
/** Frames of two channels in turns. */
const woven = fc.tuple(sane, sane).map(([one, other]) => {
  const [first, second] = [delivery({ ...one, channel: 1 }), delivery({ ...other, channel: 2 })];
  const rows = Array.from({ length: Math.max(first.length, second.length) }, (_, at) => [
    first[at],
    second[at],
  ]);
  return rows.flat().filter((each) => each !== undefined);
});
const heartbeat = frame(8, 0, Buffer.alloc(0));
const empty = frame(3, 1, Buffer.alloc(0));
const others = fc.oneof(
  { weight: 6, arbitrary: fc.constant([heartbeat]) },
  { weight: 3, arbitrary: sane.map(returned) },
  { weight: 2, arbitrary: fc.constant([method(0, 10, 60, shortText('low on memory'))]) },
  { weight: 1, arbitrary: fc.constant([method(1, 60, 30, shortText('two'), Buffer.of(1))]) },
  {
    weight: 1,
    arbitrary: fc.constant([method(2, 20, 40, Buffer.of(1, 148), shortText('no'), Buffer.of(0, 60, 0, 60))]),
  },
  {
    weight: 1,
    arbitrary: fc.constant([method(0, 10, 50, Buffer.of(1, 64), shortText('bye'), Buffer.alloc(4))]),
  },
);
/** A delivery with something between its frames, or without one of them. */
const broken = fc
  .tuple(deliveries, fc.nat(3), fc.constantFrom(heartbeat, empty, undefined))
  .map(([frames, at, other]) => {
    const changed = [...frames];
    if (other) changed.splice(at, 0, other);
    else changed.splice(at, 1);
    return changed;
  });

export interface ArrivingCase {
  /** What arrives, cut as a socket may deliver it. */
  chunks: Buffer[];
  /** What the consumer does with one of the messages. */
  act: { at: number; what: 'throw' | 'overflow' | 'close channel' | 'close connection' | 'nothing' };
}

export const arrivingCases: fc.Arbitrary<ArrivingCase> = fc
  .record({
    parts: fc.array(
      fc.oneof(
        { weight: 12, arbitrary: deliveries },
        { weight: 3, arbitrary: others },
        { weight: 2, arbitrary: woven },
        { weight: 1, arbitrary: broken },
      ),
      { minLength: 1, maxLength: 8 },
    ),
    cuts: fc.array(fc.nat(3000), { maxLength: 5 }),
    flips: fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      {
        weight: 1,
        arbitrary: fc.array(fc.tuple(fc.nat(3000), fc.integer({ min: 1, max: 255 })), { maxLength: 2 }),
      },
    ),
    end: fc.option(fc.nat(3000), { freq: 8 }),
    act: fc.record({
      at: fc.nat(4),
      what: fc.constantFrom(
        'nothing',
        'nothing',
        'nothing',
        'throw',
        'overflow',
        'close channel',
        'close connection',
      ),
    }),
  })
  .map(({ parts, cuts, flips, end, act }) => {
    const all = Buffer.concat(parts.flat());
    for (const [at, mask] of flips) if (at < all.length) all[at] = (all[at] as number) ^ mask;
    const arriving = end === null ? all : all.subarray(0, end);
    const ends = [...cuts, arriving.length].sort((one, other) => one - other);
    const chunks = ends.map((to, index) => arriving.subarray(ends[index - 1] ?? 0, to));
    return { chunks: chunks.filter((chunk) => chunk.length > 0), act };
  });
