import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { sql } from 'kysely';
import { describe, expect, it, vi } from 'vitest';
import { createHandler as createEmail } from '../../../functions/alerts/email.ts';
import { createHandler as createFlush } from '../../../functions/alerts/flush.ts';
import { alertSystem, feed, mailerOf, same, subject } from '../../support/alerts.ts';
import { dropLetters, unique } from '../../support/broker.ts';
import { proxyTo, smtp, withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

const alerts = alertSystem();

describe('while the mail server is unavailable', () => {
  it('alerts join the backlog, and are mailed oldest first when it is available again', async () => {
    const queue = await alerts.broker().queue('outage');
    vi.stubEnv('WARREN_RETRY', JSON.stringify({ [queue]: { delays: [1], maxAge: 86_400 } }));
    let away = true;
    const mailbox = new URL(stack.SMTP_URL);
    const { serve } = proxyTo(mailbox);
    const gateway = (socket: Parameters<typeof serve>[0]) => (away ? socket.destroy() : serve(socket));
    await withFaultyServer(gateway, async (port) => {
      const parts = alerts.partsOf({ mailer: mailerOf(port), routes: { [queue]: alerts.routeTo() } });
      const before = await feed(queue, 5, createEmail(parts));
      // An alert every two minutes for an hour; the first of them are still in the retry queues when later ones come.
      const hourAgo = Math.floor(Date.now() / 1000) - 3600;
      for (let minute = 0; minute < 60; minute += 2) {
        const options = {
          contentType: 'application/json',
          messageId: randomUUID(),
          timestamp: hourAgo + minute * 60,
        };
        await alerts.broker().send(queue, `minute ${minute}`, options);
      }
      const held = () => alerts.waiting(queue);
      await expect.poll(held, { timeout: 20_000 }).toBe(30);
      // A delivery in flight that fails just before the end of the outage would try another alert just after it.
      await before.stop();
      const flush = createFlush(parts);
      expect(await flush()).toEqual({ told: 0 });
      expect(await alerts.mails()).toEqual([]);
      away = false;
      const source = await feed(queue, 5, createEmail(parts));
      // A new alert joins the backlog and delivers it.
      await alerts.broker().send(queue, 'now', { contentType: 'application/json', messageId: randomUUID() });
      await expect.poll(async () => (await alerts.mails()).length, { timeout: 20_000 }).toBe(31);
      await expect.poll(held).toBe(0);
      expect(await flush()).toEqual({ told: 0 });
      expect(await held()).toBe(0);
      await source.stop();
    });
    const texts = (await alerts.mails()).map(({ text }) => text.split('\n')[0]);
    expect(texts).toEqual([...Array.from({ length: 30 }, (_, n) => `minute ${2 * n}`), 'now']);
    expect(await alerts.waiting(queue)).toBe(0);
  }, 90_000);

  it('the backlog shrinks as fast as it grows once the server is available, also during a flush', async () => {
    const queue = unique('queue');
    const routes = { [queue]: alerts.routeTo() };
    const alert = (n: number) => ({
      queue,
      messageId: randomUUID(),
      body: `alert ${n}`,
      timestamp: since + n,
    });
    const since = Math.floor(Date.now() / 1000) - 3600;
    const bodies = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => alert(from + n));
    const dead = alerts.open({ routes, mailer: mailerOf() });
    const lastTry = { headers: { 'x-warren-attempts': 2 } };
    await dead.deliver([{ ...alert(0), ...lastTry }]);
    await dead.deliver(bodies(1, 5));
    expect(await alerts.waiting(queue)).toBe(5);
    const { deliver, flush, copies } = alerts.open({ routes });
    await Promise.all([flush(), deliver(bodies(5, 25)), deliver(bodies(25, 40))]);
    expect([await alerts.waiting(queue), copies]).toEqual([0, []]);
    const texts = (await alerts.mails()).map(({ text }) => text.split('\n')[0] ?? '');
    expect(texts.slice(0, 5)).toEqual([0, 1, 2, 3, 4].map((n) => `alert ${n}`));
    expect(texts.toSorted()).toEqual(
      bodies(0, 40)
        .map(({ body }) => body)
        .toSorted(),
    );
  });

  it('one summary counts all alerts of the outage', async () => {
    const key = unique('key');
    const routes = { [unique('queue')]: alerts.routeTo() };
    const [queue = ''] = Object.keys(routes);
    const dead = alerts.open({ routes, mailer: mailerOf() });
    await dead.deliver([same(key, { queue }), same(key, { queue })]);
    for (const _due of [1, 2]) {
      await alerts
        .db()
        .updateTable('alert_digests')
        .set({ due_at: new Date(0) })
        .where('queue', '=', queue)
        .execute();
      await dead.flush();
      await dead.deliver([same(key, { queue })]);
    }
    expect(dead.copies).toEqual([]);
    const { flush } = alerts.open({ routes });
    expect((await alerts.untilMails(flush, 2)).map((mail) => mail.subject)).toEqual([
      subject,
      `${subject}: 3 more`,
    ]);
  });

  it('an alert whose sender died waits for the end of its lease, and newer alerts wait for it', async () => {
    const queue = unique('queue');
    const routes = { [queue]: alerts.routeTo() };
    const [oldest, younger] = ['oldest', 'younger'].map((body) => same(unique('key'), { queue, body }));
    await alerts.open({ routes, mailer: mailerOf() }).deliver([oldest ?? {}, younger ?? {}]);
    const lease = (seconds: number) =>
      alerts
        .db()
        .updateTable('warren_leases')
        .set({ claim: randomUUID(), claimed_until: sql<Date>`now() + ${seconds} * interval '1 second'` })
        .where('key', '=', `alert:${queue}:${oldest?.messageId}`)
        .execute();
    await lease(60);
    const { flush } = alerts.open({ routes });
    expect([await flush(), await alerts.mails()]).toEqual([{ told: 0 }, []]);
    await lease(0);
    expect(await flush()).toEqual({ told: 2 });
    const texts = (await alerts.mails()).map(({ text }) => text.split('\n')[0]);
    expect(texts).toEqual(['oldest', 'younger']);
  });
});

describe('an alert in the backlog', () => {
  it('goes to the failure policy if the mail server refuses it for good, and does not block the next one', async () => {
    const queue = await alerts.broker().queue('refused');
    const routes = { [queue]: alerts.routeTo(), fine: alerts.routeTo() };
    const key = unique('key');
    const refusing = smtp({ RCPT: '550 no such user' });
    const copies = await withFaultyServer(refusing, async (port) => {
      const opened = alerts.open({ routes, mailer: mailerOf(port) });
      await opened.deliver([same(key, { queue })]);
      return opened.copies;
    });
    expect(copies).toMatchObject([
      {
        exchange: 'warren.retry',
        routingKey: `${queue}.retry.1s`,
        headers: { 'x-warren-faults': 1, dedup_key: '' },
      },
    ]);
    expect(await alerts.waiting(queue)).toBe(0);
    // It returns from the retry queue and is mailed individually, because it was counted before.
    const [copy] = copies;
    const { messageId, headers } = copy ?? {};
    const { deliver } = alerts.open({ routes });
    await deliver([{ queue, body: 'x', messageId, headers }]);
    expect(await alerts.mails()).toHaveLength(1);
  });

  it('goes to the failure policy if its queue has no route, so that the operator sees it', async () => {
    const queue = unique('queue');
    const routes = { [queue]: alerts.routeTo() };
    await alerts.open({ routes, mailer: mailerOf() }).deliver([same(unique('key'), { queue })]);
    const { copies, flush } = alerts.open({ routes: {} });
    await flush();
    expect(copies).toMatchObject([
      { headers: { 'x-warren-error': expect.stringContaining('ALERT_ROUTES') } },
    ]);
  });
});

it.each([
  ['defers with 451', '451 try later', 1, []],
  ['defers with 421 and hangs up', '421 closing', 1, []],
  ['refuses with 550', '550 spam', 0, ['.retry.1s']],
  ['refuses with 552', '552 too large', 0, ['.retry.1s']],
])(
  'backlog: a mail whose content the server %s, always, does not keep later alerts',
  async (_what, reply, stays, retries) => {
    const queue = unique('queue');
    const routes = { [queue]: alerts.routeTo() };
    const taken: string[] = [];
    const choosy = smtp({
      END(content) {
        if (content.includes('poison')) return reply;
        taken.push(content);
        return '250 OK';
      },
    });
    await withFaultyServer(choosy, async (port) => {
      const { deliver, copies } = alerts.open({ routes, mailer: mailerOf(port) });
      const attempts = { headers: { 'x-warren-attempts': 2 } };
      const message = { queue, messageId: randomUUID(), body: 'poison', ...attempts };
      // It is in the backlog before the server sees it.
      await alerts.open({ routes, mailer: mailerOf() }).deliver([message]);
      for (const body of ['one', 'two', 'three']) await deliver([{ queue, messageId: randomUUID(), body }]);
      expect([taken.length, await alerts.waiting(queue)]).toEqual([3, stays]);
      expect(copies.map(({ routingKey = '' }) => routingKey.replace(queue, ''))).toEqual(retries);
    });
  },
);

it('backlog: a recipient whose mailbox is full keeps no alert from the other recipients', async () => {
  const queue = unique('queue');
  const routes = { [queue]: alerts.routeTo({ to: 'ops@example.com, full@example.com' }) };
  const seen: string[] = [];
  const server = smtp({ RCPT: (line) => (line.includes('full@') ? '452 mailbox full' : '250 OK') }, seen);
  await withFaultyServer(server, async (port) => {
    const { deliver, copies, flush } = alerts.open({ routes, mailer: mailerOf(port) });
    const message = (n: number) => ({ queue, messageId: `${queue}-${n}`, body: `alert ${n}` });
    // The first and the last of its attempts, and an alert from the backlog.
    await deliver([message(1)]);
    await deliver([{ ...message(2), headers: { 'x-warren-attempts': 2 } }]);
    await alerts
      .open({ routes, mailer: mailerOf() })
      .deliver([{ ...message(3), headers: { 'x-warren-attempts': 2 } }]);
    await flush();
    const times = (address: string) => seen.filter((line) => line.includes(`<${address}>`)).length;
    expect([times('ops@example.com'), await alerts.waiting(queue)]).toEqual([3, 0]);
    expect(copies.map(({ messageId }) => messageId)).toEqual([1, 2, 3].map((n) => `${queue}-${n}`));
    for (const { headers } of copies) {
      expect(headers).toMatchObject({
        'x-warren-faults': 0,
        'x-warren-error': expect.stringContaining('1 of 2 recipients got no mail'),
      });
    }
    // A retry mails the other recipient no second time.
    await deliver([{ ...message(1), headers: copies[0]?.headers }]);
    expect([times('ops@example.com'), copies.length]).toEqual([3, 4]);
  });
});

it('backlogs: an alert that one channel never takes keeps neither its others nor those of the other channel', async () => {
  const [mailed, called] = [unique('mailed'), unique('called')];
  const mails: string[] = [];
  const choosy = smtp({
    END(content) {
      if (content.includes('poison')) return '451 try later';
      mails.push(content);
      return '250 OK';
    },
  });
  const calls: string[] = [];
  const hook = createServer(async (request, response) => {
    const body = await readText(request);
    const isPoison = body.includes('poison');
    if (!isPoison) calls.push(body);
    response.writeHead(isPoison ? 503 : 200).end();
  }).listen(0, '127.0.0.1');
  await once(hook, 'listening');
  const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`;
  const routes = {
    [mailed]: alerts.routeTo(),
    [called]: { channel: 'webhook' as const, subject: 'ON CALL', url },
  };
  const gone = { ...routes, [called]: { ...routes[called], url: 'http://127.0.0.1:9/' } } as typeof routes;
  const down = alerts.open({ routes: gone, mailer: mailerOf() });
  for (const body of ['poison', 'one', 'two']) {
    // One alert that reaches both audiences.
    const message = { messageId: randomUUID(), body, headers: { 'x-warren-attempts': 2 } };
    await down.deliver([mailed, called].map((queue) => ({ ...message, queue })));
  }
  await withFaultyServer(choosy, async (port) => {
    const { flush, copies } = alerts.open({ routes, mailer: mailerOf(port) });
    await flush();
    expect([copies, mails.length, calls.length]).toEqual([[], 2, 2]);
    expect([await alerts.waiting(mailed), await alerts.waiting(called)]).toEqual([1, 1]);
  });
  hook.close();
});

it('backlog: a summary that can never be delivered is dead-lettered in readable form', async () => {
  const id = unique('summary');
  const queue = await alerts.broker().queue('summaries');
  vi.stubEnv('WARREN_RETRY', JSON.stringify({ [queue]: { delays: [1], maxAge: 1 } }));
  const [firstAt, lastAt] = ['2026-01-01T00:00:00.000Z', '2026-01-01T00:01:00.000Z'];
  const alert = {
    key: `alert:${queue}:${id}`,
    messageId: id,
    queue,
    body: 'disk full',
    headers: { 'x-warren-faults': 1 },
    summary: { dedupKey: 'disk', more: 3, firstAt, lastAt },
  };
  const row = { hash: id, queue, alert: JSON.stringify(alert), raised_at: new Date() };
  await alerts.db().insertInto('alert_backlog').values(row).execute();
  await createFlush(alerts.partsOf({ routes: {} }))();
  const [letter] = await dropLetters({ id }, 1);
  expect(letter).toMatchObject({ queue, reason: 'exhausted' });
  expect(JSON.parse(letter?.body ?? '')).toMatchObject({ summary: { more: 3 }, last: 'disk full' });
});
