import { expect, it } from 'vitest';
import { packEvent, unpackEvent } from '../../../../runtime/hosts/isolation/event-codec.ts';
import { type DeliveryLike, toEvent } from '../../../../runtime/messages/event.ts';

const fields = { exchange: 'ex', routingKey: 'a.b', redelivered: true };
const properties = {
  contentType: 'application/json',
  contentEncoding: 'gzip',
  deliveryMode: 2,
  priority: 3,
  correlationId: 'c',
  replyTo: 'r',
  expiration: '1000',
  messageId: 'm',
  timestamp: 1_764_000_000,
  type: 't',
  userId: 'u',
  appId: 'a',
};
const headers = {
  text: 'ä\u{1f407}',
  long: 'x'.repeat(5000),
  binary: Buffer.from([0, 255, 128]),
  number: 1.5,
  large: 2n ** 60n,
  yes: true,
  nothing: null,
  list: ['a', 1, ['b', null]],
  table: { bytes: [1, 2], more: { bytes: 'text', none: {} } },
  numbers: { bytes: [1, 2, 300] },
  ['__proto__']: 'own',
  time: { '!': 'timestamp', value: 1_764_000_000 },
  decimal: { '!': 'decimal', value: { digits: 12_345, places: 2 } },
};

it.each<[string, DeliveryLike]>([
  [
    'every property and headers of every type',
    { content: Buffer.from('{}'), fields, properties: { ...properties, headers } },
  ],
  ['no property', { content: Buffer.alloc(0), fields: { ...fields, redelivered: false }, properties: {} }],
])('a message with %s is the same event in the process of its function', (_what, delivery) => {
  const event = toEvent({ arn: 'arn', queue: 'q', vhost: '/' }, [delivery, delivery]);
  const crossed = unpackEvent(JSON.parse(JSON.stringify(packEvent(event)))) as typeof event;
  expect(crossed).toStrictEqual(JSON.parse(JSON.stringify(event)));
  const names = (each: typeof event) =>
    Object.keys(each.rmqMessagesByQueue['q::/']?.[0]?.basicProperties.headers ?? {});
  expect(names(crossed)).toEqual(names(event));
});

it('headers that are null, as AWS sends them, and plain texts stay as they are', () => {
  const event = toEvent({ arn: 'arn', queue: 'q', vhost: '/' }, [
    { content: Buffer.from('1'), fields, properties },
  ]);
  const [message] = event.rmqMessagesByQueue['q::/'] ?? [];
  if (!message) throw new Error('no message');
  const { basicProperties } = message;
  const both = [
    { ...message, basicProperties: { ...basicProperties, headers: null } },
    { ...message, basicProperties: { ...basicProperties, headers: { plain: 'text', list: ['a'] } } },
  ];
  const given = { ...event, rmqMessagesByQueue: { 'q::/': both } };
  expect(unpackEvent(packEvent(given))).toEqual(given);
});

it('an event that is not from RabbitMQ crosses as it is, whatever its fields are called', () => {
  const request = { rawPath: '/orders', queues: [['q', []]], arn: 'arn', packed: { arn: 'arn', queues: [] } };
  expect(unpackEvent(JSON.parse(JSON.stringify(packEvent(request))))).toEqual(request);
});
