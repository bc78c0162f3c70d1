/** Headers about the way of a message do not travel with another message that a function publishes. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { invoke, rabbitMQEvent } from 'warren/testing';
import { copyMark } from '../../../runtime/amqp/copy-mark.ts';
import { movedHeaders } from '../../../runtime/amqp/headers.ts';
import type { OutgoingMessage } from '../../../runtime/amqp/outgoing.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RpcClient } from '../../../runtime/amqp/rpc-client.ts';
import { contentHeaders, withoutWay } from '../../../runtime/amqp/way-headers.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import type { ReceivedMessage } from '../../../runtime/messages/received.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
const publisher = new Publisher({ url: stack.AMQP_URL, name: unique('way') });
beforeAll(async () => {
  broker = await openBroker();
});
afterAll(() => Promise.all([publisher.close(), broker.close()]));

const past = '2026-01-01T00:00:00.000Z';
/** Those of a message that was delayed, failed, and returns from its last retry. */
const way = {
  'x-routing-key': 'order.old',
  'x-exchange': 'orders',
  'x-warren-exchange': 'orders',
  'x-warren-routing-key': 'order.old',
  'x-warren-queue': 'other',
  'x-warren-copy': 'c-1',
  'x-warren-attempts': 4,
  'x-warren-faults': 4,
  'x-warren-first-failed-at': past,
  'x-warren-last-failed-at': past,
  'x-warren-error': 'Error: old',
  'x-warren-reason': 'exhausted',
  'x-warren-headers-left': 'x',
  'x-warren-expiration': '1000',
  'x-warren-expires-at': past,
  'x-warren-user-id': 'other',
  'x-warren-due-at': past,
  'x-warren-delay-to': 'exchange.orders',
  'x-warren-delay-03': true,
  'x-warren-claim': 1,
  'x-warren-replaces': 'm-1',
  'x-warren-a-later-version': 1,
  'x-delivery-count': 3,
  ...Object.fromEntries(
    Object.entries(movedHeaders).flatMap(([name, moved]) => [
      [moved, 'x'],
      [name, 'x'],
    ]),
  ),
};
const { CC: _cc, BCC: _bcc, ...ways } = way as Record<string, unknown>;
const content = { tenant: 'a', 'x-own': 7, 'x-warren-sub': '7', traceparent: '00-1-2-3' };

/** Runs a function that forwards the headers of a message. */
const forward = async (publish: (message: ReceivedMessage) => Promise<unknown>) => {
  const handler = onMessages({ publisher }, publish);
  const headers = { ...ways, ...content, 'x-warren-expires-at': '2999-01-01T00:00:00.000Z' };
  await invoke(
    handler,
    rabbitMQEvent([{ queue: 'other', body: 1, headers: without(headers, 'x-warren-claim') }]),
  );
};
/** Takes the headers of a message, without the count that a quorum queue adds. */
const takeHeaders = async (queue: string) =>
  without((await broker.take(queue)).properties.headers ?? {}, 'x-delivery-count');
const without = (headers: Record<string, unknown>, name: string) =>
  Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name));

it('forward: another message has the headers of the content, and none about the way of the first one', async () => {
  const queue = await broker.queue();
  await forward(({ headers }) => publisher.publish({ exchange: '', routingKey: queue, body: 2, headers }));
  expect(await takeHeaders(queue)).toEqual(content);
});

it('forward: the header of the routing key is that of the new publish', async () => {
  const queue = await broker.queue();
  const exchange = await broker.exchange('topic');
  await broker.channel.bindQueue(queue, exchange, '#');
  await forward(({ headers }) => publisher.publish({ exchange, routingKey: 'new', body: 2, headers }));
  expect(await takeHeaders(queue)).toEqual({ ...content, 'x-routing-key': 'new' });
});

it('forward: a call over RPC has the end of its own caller, and no attempts', async () => {
  const queue = await broker.queue();
  const exchange = await broker.exchange('direct');
  await broker.channel.bindQueue(queue, exchange, 'ask');
  const rpc = new RpcClient({ url: stack.AMQP_URL, name: unique('way'), exchange });
  const from = Date.now();
  const failed = forward(({ headers }) =>
    rpc.call('ask', 1, { headers, timeoutMs: 500 }).catch((error: { code: string }) => {
      expect(error.code).toBe('ERR_TIMEOUT');
    }),
  );
  const { 'x-warren-expires-at': end, ...rest } = await takeHeaders(queue);
  await failed;
  expect(rest).toEqual(content);
  expect(Date.parse(String(end))).toBeGreaterThanOrEqual(from + 500);
  expect(Date.parse(String(end))).toBeLessThan(Date.parse('2999-01-01'));
  await rpc.close();
});

it('forward: a message that goes on with another one ends when that does, by `expiresAt`', async () => {
  const queue = await broker.queue();
  const message = { exchange: '', routingKey: queue, body: 2 };
  await publisher.publish({ ...message, headers: ways, expiresAt: '2999-01-01T00:00:00Z' });
  await publisher.publish({ ...message, expiresAt: new Date('2999-01-02T00:00:00Z') });
  const ends = [await takeHeaders(queue), await takeHeaders(queue)];
  expect(ends).toEqual([
    { 'x-warren-expires-at': '2999-01-01T00:00:00.000Z' },
    { 'x-warren-expires-at': '2999-01-02T00:00:00.000Z' },
  ]);
  await expect(publisher.publish({ ...message, expiresAt: 'soon' })).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: 'expiresAt: expected a time, got "soon"',
  });
});

it('forward: CC and BCC address the new message, and a claim goes with its own bytes only', () => {
  const claim = Buffer.from(
    JSON.stringify({ claim: '2026-11-29/01234567-89ab-cdef-0123-456789abcdef', bytes: 7, sha256: 'x' }),
  );
  const sent = (body: unknown) => contentHeaders({ CC: ['a'], BCC: ['b'], 'x-warren-claim': 1 }, body);
  expect(sent(claim)).toEqual({ CC: ['a'], BCC: ['b'], 'x-warren-claim': 1 });
  for (const body of [{ a: 1 }, 'text', Buffer.from('{}'), Buffer.from('null'), undefined]) {
    expect(sent(body)).toEqual({ CC: ['a'], BCC: ['b'] });
  }
});

it('forward: headers without any about a way stay the same object, and so does a message', () => {
  const message: OutgoingMessage = { exchange: '', routingKey: 'q', body: 1, headers: { a: 1 } };
  expect(withoutWay(message)).toBe(message);
  const endless = { ...message, expiresAt: null as unknown as undefined };
  expect(withoutWay(endless)).toBe(endless);
  expect(contentHeaders(content, 1)).toBe(content);
});

it('copy: a publisher of another copy of this package recognizes a retry', () => {
  expect(Symbol.for(Symbol.keyFor(copyMark) ?? '')).toBe(copyMark);
});

it('copy: the retry of a message keeps the headers about its way and counts on', async () => {
  const queue = await broker.queue();
  const headers = { ...without(ways, 'x-warren-claim'), 'x-warren-expires-at': '2999-01-01T00:00:00.000Z' };
  const handler = onMessages({ publisher, policies: { [queue]: { delays: [1], maxAge: 1e12 } } }, () =>
    Promise.reject(new Error('failed')),
  );
  const first = without(headers, 'x-warren-faults');
  await invoke(handler, rabbitMQEvent([{ queue, body: 1, headers: first }]));
  const { properties } = await broker.take(queue);
  expect(properties.headers).toMatchObject({
    'x-warren-attempts': 5,
    'x-warren-first-failed-at': past,
    'x-warren-routing-key': 'order.old',
    'x-warren-expires-at': '2999-01-01T00:00:00.000Z',
  });
});
