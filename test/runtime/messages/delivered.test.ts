import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../../runtime/base/log.ts';
import { eventFor, unencodedIn } from '../../../runtime/base/unencoded.ts';
import { type Handler, inProcess } from '../../../runtime/hosts/in-process.ts';
import { deliveredEvent } from '../../../runtime/messages/delivered.ts';
import { type RabbitMQEvent, toEvent } from '../../../runtime/messages/event.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { readEvent } from '../../../runtime/messages/received.ts';
import { lambda } from '../../../runtime/resources/lambda.ts';
import { recordingPublisher } from '../../../runtime/testing/recording-publisher.ts';
import { delivery, openBroker, type TestBroker } from '../../support/broker.ts';
import { feeding, patience } from '../../support/feeding.ts';

const source = { arn: 'arn:test', queue: 'critical', vhost: '/' };
const full = {
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  messageId: 'm-1',
  correlationId: 'c-1',
  replyTo: 'back-here',
  expiration: '60000',
  priority: 3,
  deliveryMode: 2,
  type: 'order',
  userId: 'guest',
  appId: 'till',
  timestamp: 1_764_390_000,
  headers: { tenant: 'Zürich', 'x-routing-key': 'order.placed', n: 1, yes: true, nothing: null },
};
const one = delivery('{"a":"ü"}', { properties: full });

/** What a function gets that is called in this process. */
async function given(handler: (event: RabbitMQEvent) => unknown): Promise<unknown> {
  const load = async () => handler as Handler;
  const call = inProcess<RabbitMQEvent>({ functionName: 'f', load: load as never, timeoutMs: 5000 });
  return call(deliveredEvent(source, [one]));
}

describe('an event that is not encoded', () => {
  it.each([
    ['a full message', full],
    ['no properties', {}],
    ['names of 255 characters', { messageId: 'é'.repeat(255), type: 'x'.repeat(255) }],
    ['a priority that is no octet', { priority: 256 }],
    ['a timestamp in milliseconds', { timestamp: 1_764_390_000_123 }],
    ['a timestamp of zero', { timestamp: 0 }],
    ['a timestamp before 1970', { timestamp: -5 }],
    ['a timestamp beyond all dates', { timestamp: 9e15 }],
    [
      'tables, lists and bytes',
      { headers: { a: [{ b: ['x', 1, null] }], c: Buffer.from([0, 255]), d: Buffer.from('d') } },
    ],
    ['a table that looks like bytes', { headers: { a: { bytes: [104, 105] } } }],
    [
      'types that JavaScript lacks',
      {
        headers: {
          at: { '!': 'timestamp', value: 2021 },
          d: { '!': 'decimal', value: { digits: 314, places: 2 } },
        },
      },
    ],
    ['a replacement character', { headers: { text: 'a\ufffdb' } }],
    ['a key that is a trap', { headers: JSON.parse('{"__proto__": "x", "b": 1}') as object }],
    [
      'the origin of a copy',
      { headers: { 'x-warren-exchange': 'first', 'x-warren-routing-key': 'key', 'x-warren-attempts': 2 } },
    ],
    ['a number of attempts that counts nothing', { headers: { 'x-warren-attempts': 'many' } }],
  ])('its messages equal those of the encoded event: %s', (_what, properties) => {
    const deliveries = [
      delivery('{"a":1}', { properties, fields: { exchange: 'e', routingKey: 'r', redelivered: true } }),
    ];
    const encoded = JSON.parse(JSON.stringify(toEvent(source, deliveries))) as RabbitMQEvent;
    expect(readEvent(deliveredEvent(source, deliveries))).toStrictEqual(readEvent(encoded));
  });

  it("a function that knows only AWS's event gets a plain one", async () => {
    const plain = toEvent(source, [one]);
    await given((event) => {
      expect(unencodedIn(event)).toBeUndefined();
      expect(Object.getPrototypeOf(event)).toBe(Object.prototype);
      expect(event).toStrictEqual(plain);
      expect(Object.keys(event)).toEqual(Object.keys(plain));
      expect({ ...event }).toStrictEqual({ ...plain });
      expect(structuredClone(event)).toStrictEqual(structuredClone(plain));
      expect(JSON.stringify(event)).toBe(JSON.stringify(plain));
      expect(inspect(event, { depth: 10 })).toBe(inspect(plain, { depth: 10 }));
    });
  });

  it('a function that changes the data in front of ours is heeded', async () => {
    const bodies: unknown[] = [];
    const ours = onMessages({ publisher: recordingPublisher(), log: silentLog }, async ({ body }) =>
      bodies.push(body),
    );
    await given(async (event) => {
      const [message] = event.rmqMessagesByQueue['critical::/'] ?? [];
      if (message) message.data = Buffer.from('"changed"').toString('base64');
      await ours(event);
    });
    expect(bodies).toEqual(['changed']);
  });

  it('a function of ours reads the messages, and a handler in `lambda` that is not ours gets a plain event', async () => {
    const bodies: unknown[] = [];
    const options = { publisher: recordingPublisher(), log: silentLog };
    const ours = onMessages(options, async ({ body }) => bodies.push(body));
    const event = deliveredEvent(source, [one]);
    expect(eventFor(ours, event)).toBe(event);
    await lambda({}, () => ours)(event);
    expect(bodies).toEqual([{ a: 'ü' }]);
    const foreign = lambda(
      {},
      () => async (each: RabbitMQEvent) => expect(each).toStrictEqual(toEvent(source, [one])),
    );
    await foreign(event);
  });
});

describe('messages of a queue in the process of their host', () => {
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await openBroker();
  });
  afterAll(() => broker.close());

  it('a handler that changes its message does not change the copy of a failed one', async () => {
    const queue = await broker.queue();
    const seen: unknown[] = [];
    const handler = onMessages(
      { schema: z.string(), publisher: recordingPublisher(), policy: { delays: [1] }, log: silentLog },
      async (message) => {
        seen.push([message.body, message.headers['kept']]);
        message.content.fill(0);
        message.headers['kept'] = 'changed';
        if (message.attempt === 1) throw new Error('once');
      },
    );
    const call = inProcess({
      functionName: 'changes',
      load: async () => handler as Handler,
      timeoutMs: 5000,
    });
    const feed = await feeding(queue, call);
    await broker.send(queue, 'text', { headers: { kept: 'as sent' } });
    await expect
      .poll(() => seen, patience)
      .toEqual([
        ['text', 'as sent'],
        ['text', 'as sent'],
      ]);
    await feed.stop();
  });

  it('a text header with a replacement character is read from its bytes, as in the encoded event', async () => {
    const queue = await broker.queue();
    await broker.send(queue, 1, { headers: { text: 'Zürich', broken: 'a\ufffd' } });
    const taken = await broker.take(queue);
    const encoded = JSON.parse(JSON.stringify(toEvent(source, [taken]))) as RabbitMQEvent;
    expect(readEvent(deliveredEvent(source, [taken]))).toStrictEqual(readEvent(encoded));
  });
});
