import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { sql } from 'kysely';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TestMessage } from 'warren/testing';
import type { AlertDeps } from '../../../shared/alerts/backlog-entry.ts';
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
        path,
        type: 'application/json',
        key: `alert:oncall:${message.messageId}`,
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
    ['answers 408', { status: 408 }],
    ['answers 425', { status: 425 }],
    ['answers 429 with a pause that it does not mean', { status: 429, headers: { 'retry-after': 'soon' } }],
    [
      'answers 503 with a pause that is over',
      { status: 503, headers: { 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT' } },
    ],
    ['answers 500', { status: 500 }],
    ['refuses our credentials with 401', { status: 401 }],
    ['refuses our credentials with 403', { status: 403 }],
    ['has moved with 301', { status: 301, headers: { location: '/elsewhere' } }],
    ['redirects us to anybody with 302', { status: 302, headers: { location: '/elsewhere' } }],
    ['has no such URL with 404', { status: 404 }],
    ['was removed with 410', { status: 410 }],
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
    // A wrong setting is named at once.
    const { status = 0 } = given ?? {};
    if ([401, 403].includes(status)) expect(error).toContain('check the credentials in ALERT_ROUTES');
    if ([301, 302, 404, 410].includes(status)) expect(error).toContain('check the URL in ALERT_ROUTES');
    // A redirect is not followed.
    expect(received.map((each) => each.path)).toEqual([path]);
    await deliver({ ...message, headers: { 'x-warren-attempts': 2 } });
    expect([copies.length, await waiting()]).toEqual([1, 1]);
    answer = () => ({ status: 200 });
    expect(await flush()).toEqual({ told: 1 });
    expect([await waiting(), received.at(-1)?.key]).toEqual([0, `alert:oncall:${message.messageId}`]);
  });

  it.each([
    ['refuses the alert', { status: 400 }],
    ['finds it too large', { status: 413 }],
    ['does not understand it', { status: 422 }],
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

  it('that is back gets the backlog, also an alert whose headers another program has written in any form', async () => {
    const { deliver, copies, flush } = open();
    answer = () => ({ status: 503 });
    await deliver({ headers: { 'x-warren-attempts': 2 } });
    const table = { toString: 'a' };
    const forged = { 'x-warren-attempts': table, 'x-warren-expires-at': table, 'x-own': { bytes: [table] } };
    await deliver({ body: 'forged', headers: forged });
    await deliver({ body: 'last' });
    expect([copies.length, await waiting()]).toEqual([0, 3]);
    answer = () => ({ status: 200 });
    received.length = 0;
    expect(await flush()).toEqual({ told: 3 });
    expect(received.map(({ text }) => text.split('\n')[1])).toEqual(['x', 'forged', 'last']);
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

describe('a webhook that asks for a pause by Retry-After', () => {
  /** Seconds until the end of the pause. */
  const pause = async () => {
    const { seconds } = await alerts
      .db()
      .selectFrom('alert_pauses')
      .select(sql<number>`extract(epoch from until - now())::float8`.as('seconds'))
      .where('queue', '=', 'oncall')
      .executeTakeFirstOrThrow();
    return seconds;
  };
  const endPause = () =>
    alerts
      .db()
      .updateTable('alert_pauses')
      .set({ until: new Date(0) })
      .execute();
  const asking = (status: number, after: string) => ({ status, headers: { 'retry-after': after } });

  it.each([
    [429, '30', 30],
    [503, '30', 30],
    [503, new Date(Date.now() + 300_000).toUTCString(), 300],
    [429, '86400', 600],
    [503, new Date(Date.now() + 86_400_000).toUTCString(), 600],
  ])(
    'pause: after %i with Retry-After %j its alerts wait in the backlog, in their order',
    async (status, after, seconds) => {
      const { deliver, copies, flush } = open();
      answer = () => asking(status, after);
      await deliver({ body: 'one' });
      expect(await pause()).toBeLessThanOrEqual(seconds);
      expect(await pause()).toBeGreaterThan(seconds - 30);
      await deliver({ body: 'two' });
      await deliver({ body: 'three', headers: { dedup_key: 'disk' } });
      expect([await flush(), copies, received.length, await waiting()]).toEqual([{ told: 0 }, [], 1, 3]);
      answer = () => ({ status: 200 });
      await endPause();
      expect(await flush()).toEqual({ told: 3 });
      expect(received.map(({ text }) => text.split('\n')[1])).toEqual(['one', 'one', 'two', 'three']);
    },
  );

  it('pause: each flush after a pause makes one call, and starts the next pause', async () => {
    const { deliver, flush } = open();
    answer = () => asking(503, '30');
    for (const body of ['one', 'two', 'three']) await deliver({ body });
    for (let calls = 2; calls < 8; calls += 1) {
      await endPause();
      await flush();
      await flush();
      expect(received.length).toBe(calls);
      expect(await pause()).toBeGreaterThan(0);
    }
    expect(await waiting()).toBe(3);
  });

  it('pause: an alert that is always answered with one is passed by after a few pauses', async () => {
    const { deliver, flush } = open();
    answer = () => (received.at(-1)?.text.includes('poison') ? asking(503, '30') : { status: 200 });
    for (const body of ['poison', 'one', 'two']) await deliver({ body });
    const passed = async () => {
      await endPause();
      await flush();
      expect(await waiting()).toBe(1);
    };
    await vi.waitFor(passed, { timeout: 10_000, interval: 1 });
    await endPause();
    await deliver({ body: 'later' });
    expect(received.map(({ text }) => text.split('\n')[1]).filter((text) => text !== 'poison')).toEqual([
      'one',
      'two',
      'later',
    ]);
  });
});

describe('a webhook that takes all alerts but one', () => {
  const lastTry = { headers: { 'x-warren-attempts': 2 } };
  const textsOf = () => received.map(({ text }) => text.split('\n')[1]);
  const takesAllBut = (...poisons: string[]) => {
    answer = () => ({ status: poisons.some((each) => received.at(-1)?.text.includes(each)) ? 500 : 200 });
  };

  it('backlog: an alert that always gets 500 is passed by, and later ones are delivered at once', async () => {
    const { deliver, copies, flush } = open();
    takesAllBut('poison');
    await deliver({ body: 'poison', ...lastTry });
    expect(await waiting()).toBe(1);
    for (let n = 0; n < 10; n += 1) await deliver({ body: `ordinary ${n}` });
    expect(new Set(textsOf())).toEqual(
      new Set(['poison', ...Array.from({ length: 10 }, (_, n) => `ordinary ${n}`)]),
    );
    expect([copies, await waiting()]).toEqual([[], 1]);
    await flush();
    expect(await waiting()).toBe(1);
  });

  it('backlog: several alerts in a row that always get 500 do not keep the ones behind them', async () => {
    const { deliver, flush } = open();
    answer = () => ({ status: 500 });
    const poisons = ['poison 1', 'poison 2', 'poison 3'];
    for (const body of [...poisons, 'ordinary 1', 'ordinary 2']) await deliver({ body, ...lastTry });
    expect(await waiting()).toBe(5);
    takesAllBut(...poisons);
    const left = async () => {
      await flush();
      expect(await waiting()).toBe(3);
    };
    await vi.waitFor(left, { timeout: 20_000, interval: 50 });
    await deliver({ body: 'later' });
    expect([textsOf().includes('later'), await waiting()]).toEqual([true, 3]);
  });

  it('backlog: an alert that was passed by is delivered when the webhook takes it', async () => {
    const { deliver, flush } = open();
    takesAllBut('poison');
    await deliver({ body: 'poison', ...lastTry });
    await deliver({ body: 'ordinary' });
    takesAllBut();
    await vi.waitFor(async () => expect(await flush()).toEqual({ told: 1 }), { timeout: 15_000 });
    expect([textsOf().at(-1), await waiting()]).toEqual(['poison', 0]);
  });

  it('backlog: an alert that fails for a day is dead-lettered as too old, passed by or not', async () => {
    const { deliver, copies, flush } = open();
    takesAllBut('poison');
    await deliver({ body: 'poison', ...lastTry });
    await deliver({ body: 'ordinary' });
    const aDayAgo = new Date(Date.now() - 86_401_000);
    await alerts.db().updateTable('alert_backlog').set({ joined_at: aDayAgo, retry_at: aDayAgo }).execute();
    expect(await flush()).toEqual({ told: 1 });
    answer = () => ({ status: 503 });
    for (const body of ['a', 'b']) await deliver({ body, ...lastTry });
    await alerts.db().updateTable('alert_backlog').set({ joined_at: aDayAgo }).execute();
    expect([await flush(), await waiting()]).toEqual([{ told: 2 }, 0]);
    expect(copies).toMatchObject(
      ['500', '503', '503'].map((status) => ({
        exchange: 'warren.dead',
        headers: {
          'x-warren-reason': 'too-old',
          'x-warren-error': `UnavailableError: the webhook for alerts answered ${status}`,
        },
      })),
    );
  });
});
