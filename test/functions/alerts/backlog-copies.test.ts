/** An alert that leaves the backlog as a dead letter or for a retry is the message that it was. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deadLetters } from '../../../runtime/topology/names.ts';
import type { Alert } from '../../../shared/alerts/alert.ts';
import { alertSystem, mailerOf } from '../../support/alerts.ts';
import { openDeps } from '../../support/deps.ts';
import { smtp, withFaultyServer } from '../../support/faults.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

const alerts = alertSystem();
const deps = openDeps();
let other: TestVhost;
beforeAll(async () => {
  other = await openVhost({ queues: { critical: {} } });
});
afterAll(() => Promise.all([other.close(), deps.close()]));

it('backlog: an alert that is dead-lettered from it stays in its vhost, with its properties and headers', async () => {
  const { deliver, flush } = alerts.open({ publisher: deps.publisher, mailer: mailerOf() });
  const headers = { 'x-warren-attempts': 2, raw: Buffer.from([0xe9, 0, 0xff]), table: { list: ['a', 1] } };
  const properties = { correlationId: 'c', replyTo: 'r', type: 't', appId: 'a', priority: 3 };
  const messageId = randomUUID();
  const message = { ...properties, messageId, headers, body: Buffer.from('{"price":1.10}') };
  await deliver([{ ...message, contentType: 'application/json', vhost: other.name }]);
  expect(await alerts.waiting('critical')).toBe(1);
  const aDayAgo = new Date(Date.now() - 86_401_000);
  await alerts.db().updateTable('alert_backlog').set({ joined_at: aDayAgo }).execute();
  await flush();
  const letter = await other.take(deadLetters);
  expect(letter.content.toString()).toBe('{"price":1.10}');
  expect(letter.properties).toMatchObject({
    ...properties,
    messageId,
    headers: { 'x-warren-reason': 'too-old', raw: headers.raw, table: headers.table },
  });
});

/** The time at which the alert of a message id in the backlog expires. */
async function expiryInBacklog(messageId: string): Promise<string> {
  const rows = await alerts.db().selectFrom('alert_backlog').select('alert').execute();
  const found = rows.map(({ alert }) => alert as Alert).find((alert) => alert.messageId === messageId);
  return String(found?.headers?.['x-warren-expires-at']);
}

it('backlog: an alert that leaves it for a retry expires when its original would, and not later', async () => {
  const dead = alerts.open({ mailer: mailerOf() });
  const message = { messageId: randomUUID(), expiration: '60000' };
  const start = Date.now();
  await dead.deliver([{ headers: { 'x-warren-attempts': 2 } }]);
  await dead.deliver([message]);
  const expiresAt = await expiryInBacklog(message.messageId);
  expect(Date.parse(expiresAt) - 60_000).toBeGreaterThanOrEqual(start);
  expect(Date.parse(expiresAt) - 60_000).toBeLessThanOrEqual(Date.now());
  await withFaultyServer(smtp({ RCPT: '550 no such user' }), async (port) => {
    const { flush, copies } = alerts.open({ mailer: mailerOf(port) });
    await flush();
    const copy = copies.find((each) => each.messageId === message.messageId);
    expect(copy).toMatchObject({
      routingKey: 'critical.retry.1s',
      headers: { 'x-warren-expires-at': expiresAt },
    });
    expect(copy?.expiration).toBeUndefined();
  });
});

it('backlog: an alert that expires in it is not mailed, and the others are', async () => {
  const dead = alerts.open({ mailer: mailerOf() });
  await dead.deliver([{ headers: { 'x-warren-attempts': 2 }, body: 'long' }]);
  await dead.deliver([{ messageId: randomUUID(), expiration: '0', body: 'short' }]);
  // The end of the short one is no sign that the channel takes others than the first.
  const rows = await alerts.db().selectFrom('alert_backlog').select('retry_at').execute();
  expect(rows).toEqual([{ retry_at: null }]);
  const { flush, copies } = alerts.open();
  await flush();
  expect([copies, await alerts.waiting('critical')]).toEqual([[], 0]);
  expect((await alerts.mails()).map(({ text }) => text.split('\n')[0])).toEqual(['long']);
});

it('backlog: alerts of two vhosts with the same id are both delivered', async () => {
  const { deliver } = alerts.open();
  const messageId = randomUUID();
  for (const vhost of ['/', other.name]) await deliver([{ messageId, vhost }]);
  expect(await alerts.mails()).toHaveLength(2);
});
