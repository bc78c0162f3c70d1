/** An alert that leaves the backlog as a dead letter or for a retry is the message that it was. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deadLetters } from '../../../runtime/topology/names.ts';
import { alertSystem, mailerOf } from '../../support/alerts.ts';
import { openDeps } from '../../support/deps.ts';
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

it('backlog: alerts of two vhosts with the same id are both delivered', async () => {
  const { deliver } = alerts.open();
  const messageId = randomUUID();
  for (const vhost of ['/', other.name]) await deliver([{ messageId, vhost }]);
  expect(await alerts.mails()).toHaveLength(2);
});
