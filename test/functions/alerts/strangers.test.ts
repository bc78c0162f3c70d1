/** Alerts as producers that follow other conventions send them: every one of them reaches its audience. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { recordingPublisher } from 'warren/testing';
import { createHandler as createEmail } from '../../../functions/alerts/email.ts';
import { createHandler as createLog } from '../../../functions/alerts/log.ts';
import { stringifyJson } from '../../../runtime/base/json.ts';
import { alertSystem, feed, mailerOf } from '../../support/alerts.ts';
import { messageEvent } from '../../support/events.ts';
import { smtp, withFaultyServer } from '../../support/faults.ts';
import { mailsTo } from '../../support/mailbox.ts';
import { utf16 } from '../../support/utf16.ts';

const alerts = alertSystem();
const json = { contentType: 'application/json' };

it('strangers: an alert with a timestamp in milliseconds is mailed with the right time', async () => {
  const queue = await alerts.broker().queue('milliseconds');
  const parts = alerts.partsOf({ routes: { [queue]: alerts.routeTo() } });
  const source = await feed(queue, 1, createEmail(parts));
  const timestamp = Date.parse('2026-01-02T03:04:05Z');
  await alerts.broker().send(queue, 'raised', { ...json, messageId: randomUUID(), timestamp });
  await expect.poll(async () => (await alerts.mails()).length, { timeout: 10_000 }).toBe(1);
  await source.stop();
  expect((await alerts.mails())[0]?.text).toContain('Raised: 2026-01-02T03:04:05.000Z');
});

it.each(['\0', '\r\nBcc: x@example.com', '\x1b[2J', '\ufffd', 'ключ'])(
  'strangers: an alert with %j in its message id is mailed once, and logged once',
  async (end) => {
    const { deliver, copies } = alerts.open();
    const messageId = `${randomUUID()}${end}`;
    await deliver([{ messageId, routingKey: 'critical.nul\0' }]);
    await deliver([{ messageId }]);
    expect([copies, (await alerts.mails()).length]).toEqual([[], 1]);
    const publisher = recordingPublisher();
    const log = createLog({ db: alerts.db(), publisher });
    const routingKey = `info.${randomUUID()}`;
    for (const _twice of [1, 2]) await log(messageEvent('alert-log', 'x', { messageId, routingKey }));
    const rows = await alerts.db().selectFrom('alert_log').where('routing_key', '=', routingKey).execute();
    expect([publisher.published, rows.length]).toEqual([[], 1]);
  },
);

it.each(['le', 'be'] as const)('strangers: an alert in UTF-16 (%s) is mailed and logged', async (order) => {
  const { deliver, copies } = alerts.open();
  const body = utf16('{"text":"Zürich","price":1.10}', order);
  await deliver([{ messageId: randomUUID(), body }]);
  expect((await alerts.mails())[0]?.text).toContain('"price": 1.10');
  const routingKey = `info.${randomUUID()}`;
  await createLog({ db: alerts.db(), publisher: recordingPublisher() })(
    messageEvent('alert-log', body, { routingKey }),
  );
  const row = alerts.db().selectFrom('alert_log').select('content').where('routing_key', '=', routingKey);
  expect(stringifyJson((await row.executeTakeFirstOrThrow()).content)).toContain('1.10');
  expect(copies).toEqual([]);
});

it('strangers: control characters of an alert and of its id do not reach a webhook', async () => {
  const received: { key: unknown; text: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      received.push({ key: request.headers['idempotency-key'], text: JSON.parse(body).text });
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const { deliver, copies } = alerts.open({
    routes: { critical: { channel: 'webhook', subject: 'X', url } },
  });
  await deliver([{ messageId: `${randomUUID()}\0`, body: 'disk\0full' }]);
  server.close();
  expect(copies).toEqual([]);
  expect(received).toEqual([
    { key: expect.stringMatching(/^[0-9a-f]{64}$/), text: expect.stringContaining('disk␀full') },
  ]);
});

it('strangers: a route with several recipients and names mails each of them once', async () => {
  const [one, other] = [`${randomUUID()}@example.com`, `${randomUUID()}@example.com`];
  const routes = { critical: alerts.routeTo({ to: `${one}, "Shift, Night" <${other}>` }) };
  const { deliver, copies } = alerts.open({ routes });
  const message = { messageId: randomUUID() };
  await deliver([message]);
  await deliver([message]);
  expect(copies).toEqual([]);
  expect(await mailsTo(one)).toHaveLength(1);
  expect((await mailsTo(other))[0]?.to).toEqual([{ address: other, name: 'Shift, Night' }]);
});

it('strangers: a recipient whom the mail server refuses does not keep the others from their mail', async () => {
  const seen: string[] = [];
  const refusing = smtp({ RCPT: (line) => (line.includes('gone@') ? '550 no such user' : '250 OK') }, seen);
  const copies = await withFaultyServer(refusing, async (port) => {
    const routes = { critical: alerts.routeTo({ to: 'gone@example.com, here@example.com' }) };
    const opened = alerts.open({ routes, mailer: mailerOf(port) });
    const message = { messageId: randomUUID() };
    await opened.deliver([message]);
    await opened.deliver([message]);
    return opened.copies;
  });
  expect(copies).toMatchObject([{ exchange: 'warren.retry' }, { exchange: 'warren.retry' }]);
  expect(seen.filter((line) => line === '.')).toHaveLength(1);
});

it('strangers: alerts whose ids differ only in bytes that are not UTF-8 are all notified, also from the backlog', async () => {
  const id = randomUUID();
  const [one, other] = [`${id}\udce9`, `${id}\udce8`].map((messageId) => ({ messageId }));
  const keys: unknown[] = [];
  let status = 500;
  const server = createServer((request, response) => {
    if (status === 200) keys.push(request.headers['idempotency-key']);
    response.writeHead(status).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const hook = { channel: 'webhook' as const, subject: 'X', url };
  const { deliver, flush } = alerts.open({ routes: { critical: hook } });
  const last = { headers: { 'x-warren-attempts': 2 } };
  await deliver([{ ...one, ...last }]);
  await deliver([{ ...other, ...last }]);
  expect(await alerts.waiting('critical')).toBe(2);
  status = 200;
  await flush();
  server.close();
  expect([keys.length, new Set(keys).size]).toEqual([2, 2]);
});

it('strangers: dedup keys that differ only in bytes that are not UTF-8 are other keys', async () => {
  const { deliver, copies } = alerts.open();
  for (const byte of [0xe9, 0xe8]) {
    await deliver([{ messageId: randomUUID(), headers: { dedup_key: Buffer.from([byte]) } }]);
  }
  expect([copies, (await alerts.mails()).length]).toEqual([[], 2]);
});
