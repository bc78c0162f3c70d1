import { expect, it } from 'vitest';
import { Aside } from '../../../../runtime/event-source/ordered/aside.ts';
import { delivery } from '../../../support/broker.ts';

const restored = (death: unknown) => {
  const message = delivery('{}', {
    fields: { exchange: '', routingKey: 'orders.0.parked' },
    properties: { headers: { 'x-death': death as never } },
  });
  new Aside(
    { newConsumer: () => undefined } as never,
    'orders.0',
    { push: () => undefined },
    { wait: () => false, hasMemory: () => false },
  ).restore(message);
  const { exchange, routingKey } = message.fields;
  return { exchange, routingKey };
};

it('aside: a message has the exchange and the routing key with which it was published', () => {
  const death = { queue: 'orders.0', reason: 'rejected', exchange: 'shop', 'routing-keys': ['order.placed'] };
  expect(restored([death])).toEqual({ exchange: 'shop', routingKey: 'order.placed' });
});

it.each([
  [[null]],
  [[{ queue: 'orders.0', reason: 'rejected' }]],
  [[{ queue: 'orders.0', reason: 'rejected', exchange: 5, 'routing-keys': null }]],
  [{ queue: 'orders.0' }],
  ['orders.0'],
])('aside: with %j as its x-death a message keeps those of its delivery', (death) => {
  expect(restored(death)).toEqual({ exchange: '', routingKey: 'orders.0.parked' });
});
