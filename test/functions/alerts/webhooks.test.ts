import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TestMessage } from 'warren/testing';
import type { AlertDeps } from '../../../shared/alerts/backlog-delivery.ts';
import { alertSystem } from '../../support/alerts.ts';

const alerts = alertSystem();

interface Answer {
  status: number;
  headers?: Record<string, string>;
}

let server: Server;
/** Undefined means no response at all. */
let answer: (request: IncomingMessage) => Answer | undefined;
const received: { path: unknown; type: unknown; key: unknown; text: string }[] = [];

beforeEach(async () => {
  received.length = 0;
  answer = () => ({ status: 200 });
  server = createServer(async (request, response) => {
    const { text } = JSON.parse(await readText(request)) as { text: string };
    const { 'idempotency-key': key, 'content-type': type } = request.headers;
    received.push({ path: request.url, type, key, text });
    const given = answer(request);
    if (given) response.writeHead(given.status, given.headers).end('ok');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** The path of a webhook's URL is its secret. */
const path = '/services/T0/B0/s3cr3t';

const open = (settings: Partial<AlertDeps> = {}) => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const routes = { oncall: { channel: 'webhook' as const, subject: 'ON CALL', url } };
  const { deliver, ...rest } = alerts.open({ routes, webhookTimeoutMs: 300, ...settings });
  return {
    ...rest,
    deliver: (message: Partial<TestMessage>) =>
      deliver([{ queue: 'oncall', messageId: randomUUID(), ...message }]),
  };
};
const waiting = () => alerts.waiting('oncall');

describe('a webhook', () => {
  it('receives an alert once, in the JSON format of Slack', async () => {
    const { deliver, copies } = open();
    const message = { messageId: randomUUID(), routingKey: 'critical.disk', body: 'disk full' };
    await Promise.all([deliver(message), deliver(message)]);
    await deliver(message);
    for (const copy of copies) expect(copy.routingKey).toMatch(/\.retry\.1s$/);
    expect(received).toEqual([
      {
        ...{ path, type: 'application/json', key: `alert:oncall:${message.messageId}` },
        text: '*ON CALL*\ndisk full\n\nRouting key: critical.disk',
      },
    ]);
    const rows = await alerts.db().selectFrom('mails').select('recipient').execute();
    expect(rows).toEqual([{ recipient: 'webhook' }]);
  });

  it('escapes mentions and links of an alert, and cuts a long text between characters', async () => {
    const { deliver } = open();
    await deliver({ body: `<!channel> & <https://evil.example.com|click>`, routingKey: 'critical.<!here>' });
    expect(received[0]?.text).toContain('&lt;!channel&gt; &amp; &lt;https://evil.example.com|click&gt;');
    expect(received[0]?.text).toContain('Routing key: critical.&lt;!here&gt;');
    await deliver({ body: `x${'\u{1f600}'.repeat(5000)}` });
    expect(received[1]?.text.length).toBeLessThan(4100);
    expect(received[1]?.text).toMatch(/\u{1f600}…\n\nRouting key/u);
  });

  it.each<[string, Answer | undefined]>([
    ['answers 503', { status: 503 }],
    ['answers 429', { status: 429 }],
    ['says nothing in time', undefined],
  ])('that %s gets it later: by a retry at first, then by a flush', async (_what, given) => {
    const { deliver, copies, flush } = open();
    answer = () => given;
    const message = { messageId: randomUUID() };
    await deliver(message);
    expect(copies).toMatchObject([
      {
        exchange: 'warren.retry',
        routingKey: expect.stringMatching(/\.retry\.1s$/),
        headers: { 'x-warren-faults': 0 },
      },
    ]);
    const error = String(copies[0]?.headers?.['x-warren-error']);
    expect(error).toContain('the webhook for alerts');
    expect(error).not.toMatch(/s3cr3t|127\.0\.0\.1/);
    await deliver({ ...message, headers: { 'x-warren-attempts': 2 } });
    expect([copies.length, await waiting()]).toEqual([1, 1]);
    answer = () => ({ status: 200 });
    expect(await flush()).toEqual({ told: 1 });
    expect([await waiting(), received.at(-1)?.key]).toEqual([0, `alert:oncall:${message.messageId}`]);
  });

  it.each([
    ['refuses an alert for good', { status: 400 }],
    ['is not there any more', { status: 404 }],
    ['redirects us to anybody', { status: 302, headers: { location: '/elsewhere' } }],
  ])('that %s sends it to the dead letters', async (_what, given) => {
    const { deliver, copies } = open();
    answer = () => given;
    await deliver({});
    expect(copies).toMatchObject([
      { exchange: 'warren.dead', routingKey: 'oncall', headers: { 'x-warren-reason': 'rejected' } },
    ]);
    expect(copies[0]?.headers?.['x-warren-error']).toBe(
      `RejectedError: the webhook for alerts answered ${given.status}`,
    );
    expect(received).toHaveLength(1);
  });

  it('keeps its URL, which is a secret, out of logs, copies and rows', async () => {
    const lines: string[] = [];
    const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
    const { deliver, copies, flush } = open({ log });
    // The network error of a closed port is logged as the cause.
    server.close();
    await once(server, 'close');
    await deliver({});
    await deliver({ headers: { 'x-warren-attempts': 2 } });
    await deliver({ headers: { dedup_key: 'disk' } });
    await flush();
    const rows = await Promise.all(
      (['mails', 'alert_backlog', 'alert_digests'] as const).map((table) =>
        alerts.db().selectFrom(table).selectAll().execute(),
      ),
    );
    expect([copies.length, await waiting()]).toEqual([1, 2]);
    expect(lines.join('')).toContain('ECONNREFUSED');
    expect(JSON.stringify([lines, copies, rows])).not.toContain('s3cr3t');
  });
});
