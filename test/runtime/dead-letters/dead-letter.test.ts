import { expect, it } from 'vitest';
import { type DeadLetter, toDeadLetter } from '../../../runtime/dead-letters/dead-letter.ts';

const letterWith = (headers: Record<string, unknown>): DeadLetter =>
  toDeadLetter({
    content: Buffer.from('{}'),
    fields: { deliveryTag: 1, redelivered: false, exchange: 'warren.dead', routingKey: 'orders' },
    properties: { messageId: 'm', headers },
  } as unknown as Parameters<typeof toDeadLetter>[0]);

it('dead letter: the death that the broker wrote has its queue, reason, origin and time', () => {
  const death = {
    queue: 'orders',
    reason: 'rejected',
    exchange: 'shop',
    'routing-keys': ['order.placed'],
    time: { '!': 'timestamp', value: 1_764_428_400 },
  };
  expect(letterWith({ 'x-death': [death] })).toMatchObject({
    queue: 'orders',
    reason: 'rejected',
    exchange: 'shop',
    routingKey: 'order.placed',
    lastFailedAt: '2025-11-29T15:00:00.000Z',
  });
});

it.each([
  [[null]],
  [[5]],
  [['orders']],
  [[{}]],
  [[{ queue: 5, reason: { a: 1 }, exchange: null, 'routing-keys': 'k', time: 'soon' }]],
  [[{ queue: Buffer.from([255]), 'routing-keys': [5], time: null }]],
  [[{ time: { '!': 'timestamp', value: 2 ** 64 } }]],
  [[{ time: { value: -1e300 } }]],
  [[{ time: { value: {} } }]],
  [{ queue: 'orders' }],
  ['orders'],
  [null],
])('dead letter: with %j as its x-death it has the queue of its routing key, and no time', (death) => {
  const letter = letterWith({ 'x-death': death });
  expect(letter).toMatchObject({ id: 'm', queue: 'orders' });
  expect(letter.lastFailedAt).toBeUndefined();
});

it.each([
  ['many', undefined],
  ['1e999', undefined],
  ['-1', undefined],
  ['', undefined],
  ['3', 3],
])(
  'dead letter: %j as its attempts is %j, because an entry of the index has a whole number',
  (text, attempts) => {
    expect(letterWith({ 'x-warren-reason': 'rejected', 'x-warren-attempts': text }).attempts).toBe(attempts);
  },
);

it('dead letter: empty headers of another program are as if they were missing', () => {
  const names = ['queue', 'reason', 'error'].map((name) => [`x-warren-${name}`, '']);
  const { queue, reason, error } = letterWith(Object.fromEntries(names));
  expect([queue, reason, error]).toEqual(['orders', 'unknown', undefined]);
});
