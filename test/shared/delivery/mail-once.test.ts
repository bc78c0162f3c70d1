import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { linked } from '../../../dev/faults/link.ts';
import { UnavailableError } from '../../../runtime/base/errors.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { connectDatabase } from '../../../shared/database/database.ts';
import { createMailer, type Mail, mailSettings } from '../../../shared/delivery/mail.ts';
import { type OnceOptions, sendOnce } from '../../../shared/delivery/mail-once.ts';
import { openDeps } from '../../support/deps.ts';
import { withFaultyServer } from '../../support/faults.ts';
import { mailsTo } from '../../support/mailbox.ts';
import { stack } from '../../support/stack.ts';

const deps = openDeps();
afterAll(() => deps.close());

const makeMail = () => {
  const to = `once-${randomUUID()}@example.com`;
  const options = {
    db: deps.db,
    mailer: deps.mailer,
    key: `test:${to}`,
    mail: { to, subject: 'Once', text: 'once', html: '<p>once</p>' },
  };
  return { to, options, send: (given: Partial<OnceOptions> = {}) => sendOnce({ ...options, ...given }) };
};

const rowOf = (key: string) =>
  deps.db.selectFrom('mails').selectAll().where('key', '=', key).executeTakeFirst();
const leaseOf = (key: string) =>
  deps.db.selectFrom('warren_leases').selectAll().where('key', '=', key).executeTakeFirst();

/** A mailer that pauses while sending, until the test ends it. */
function held() {
  const steps = new EventEmitter();
  const started = once(steps, 'start').then(([mail]) => mail as Mail);
  const ended = once(steps, 'end');
  // Avoids an unhandled rejection if the test does not wait for it.
  ended.catch(() => undefined);
  const send = async (mail: Mail) => {
    steps.emit('start', mail);
    await ended;
  };
  return {
    mailer: { send },
    started,
    finish: () => steps.emit('end'),
    fail: (error: Error) => steps.emit('error', error),
  };
}

describe('sendOnce', () => {
  it('sends, and records when', async () => {
    const { to, options, send } = makeMail();
    expect(await send()).toBe('sent');
    expect(await mailsTo(to)).toHaveLength(1);
    const row = await rowOf(options.key);
    expect(row).toMatchObject({ recipient: to, picture_id: null, user_id: null });
    expect(Math.abs(Date.now() - Number(row?.sent_at?.getTime()))).toBeLessThan(60_000);
  });

  it('does nothing if the mail was sent before, regardless of how long ago', async () => {
    const { to, options, send } = makeMail();
    await send();
    await deps.db
      .updateTable('mails')
      .set({ sent_at: new Date(0) })
      .where('key', '=', options.key)
      .execute();
    // Leases are removed by age.
    await deps.db.deleteFrom('warren_leases').where('key', '=', options.key).execute();
    expect(await send()).toBe('sent before');
    expect(await mailsTo(to)).toHaveLength(1);
    expect((await rowOf(options.key))?.sent_at).toEqual(new Date(0));
  });

  it('throws LeasedError while another delivery is sending, and sends nothing', async () => {
    const { to, options, send } = makeMail();
    const { mailer, started, finish } = held();
    const first = send({ mailer });
    await started;
    await expect(send()).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', dependency: 'lease' });
    finish();
    expect(await first).toBe('sent');
    expect(await send()).toBe('sent before');
    expect(await mailsTo(to)).toEqual([]);
    expect((await rowOf(options.key))?.sent_at).toBeInstanceOf(Date);
  });

  it('sends once for twenty concurrent deliveries', async () => {
    const { to, send } = makeMail();
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => send()));
    const sent = results.filter((result) => result.status === 'fulfilled' && result.value === 'sent');
    expect(sent).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(UnavailableError);
    }
    expect(await mailsTo(to)).toHaveLength(1);
  });

  it('ends the lease after a failure, so that the next attempt sends immediately', async () => {
    const { to, options, send } = makeMail();
    const refused = new Error('550 no such user');
    await expect(send({ mailer: { send: () => Promise.reject(refused) } })).rejects.toBe(refused);
    expect((await rowOf(options.key))?.sent_at).toBeNull();
    expect(await send()).toBe('sent');
    expect(await mailsTo(to)).toHaveLength(1);
  });

  it('takes over after the lease, and the late delivery changes nothing', async () => {
    const { options, send } = makeMail();
    const late = held();
    const first = send({ mailer: late.mailer, leaseMs: 0 });
    const lost = await late.started;
    const second = held();
    const taken = send({ mailer: second.mailer });
    const again = await second.started;
    // A mail system that gets both recognizes the duplicate.
    expect(again.messageId).toBe(lost.messageId);
    const claim = (await leaseOf(options.key))?.claim;
    late.fail(new UnavailableError('mail', 'away'));
    await expect(first).rejects.toBeInstanceOf(UnavailableError);
    const lease = await leaseOf(options.key);
    expect([lease?.claim, lease?.done_at]).toEqual([claim, null]);
    expect(Number(lease?.claimed_until.getTime())).toBeGreaterThan(Date.now() + 30_000);
    second.finish();
    expect(await taken).toBe('sent');
  });

  it('records a mail that was sent late, so that it is not sent again', async () => {
    const { to, options, send } = makeMail();
    const late = held();
    const first = send({ mailer: late.mailer, leaseMs: 0 });
    await late.started;
    const second = held();
    const taken = send({ mailer: second.mailer });
    await second.started;
    late.finish();
    expect(await first).toBe('sent');
    expect((await rowOf(options.key))?.sent_at).toBeInstanceOf(Date);
    second.fail(new UnavailableError('mail', 'away'));
    await expect(taken).rejects.toBeInstanceOf(UnavailableError);
    expect(await send()).toBe('sent before');
    expect(await mailsTo(to)).toEqual([]);
  });

  it('ends an attempt if the mail server is too slow but never silent, and lets the next attempt send', async () => {
    const { to, send } = makeMail();
    const slow = (socket: Socket) => {
      const timer = setInterval(() => socket.write('220-wait a moment\r\n'), 50);
      socket.on('close', () => clearInterval(timer));
    };
    await withFaultyServer(slow, async (port) => {
      const { mail } = readSettings({ mail: mailSettings }, { SMTP_URL: `smtp://127.0.0.1:${port}` });
      const sent = send({ mailer: createMailer(mail), timeoutMs: 300 });
      await expect(sent).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', dependency: 'mail' });
    });
    expect(await send()).toBe('sent');
    expect(await mailsTo(to)).toHaveLength(1);
  });

  it('has a lease that is longer than sending and recording may take', async () => {
    const { options, send } = makeMail();
    const { mailer, started, finish } = held();
    const sent = send({ mailer });
    await started;
    const until = Number((await leaseOf(options.key))?.claimed_until.getTime());
    // 15 s for the claim, 15 s to send, 40 s of retries for the database, 15 s for the last attempt.
    expect(until - Date.now()).toBeGreaterThan(80_000);
    finish();
    await sent;
  });

  it('retries a database that becomes unavailable during sending, and records the mail then', async () => {
    const { to, options, send } = makeMail();
    const { links, url } = await linked(stack.DATABASE_URL);
    const db = connectDatabase({ url, name: 'mail-once' });
    const mailer = {
      send: async (mail: Mail) => {
        await deps.mailer.send(mail);
        await links.close();
      },
    };
    try {
      const sent = send({ db, mailer });
      await vi.waitFor(async () => expect(await mailsTo(to)).toHaveLength(1), 5000);
      await expect(send()).rejects.toMatchObject({ dependency: 'lease' });
      await links.open();
      expect(await sent).toBe('sent');
      expect((await rowOf(options.key))?.sent_at).toBeInstanceOf(Date);
    } finally {
      await db.destroy();
      await links.close();
    }
  });

  it('gives each mail its own stable Message-ID, which does not reveal the recipient', async () => {
    const idOf = async ({ options }: ReturnType<typeof makeMail>) => {
      const { mailer, started, fail } = held();
      const sent = sendOnce({ ...options, mailer });
      const { messageId } = await started;
      fail(new Error('not now'));
      await expect(sent).rejects.toThrow('not now');
      return messageId;
    };
    const [one, other] = [makeMail(), makeMail()];
    const id = await idOf(one);
    expect(id).toMatch(/^<[0-9a-f]{40}@warren\.invalid>$/);
    expect(await idOf(one)).toBe(id);
    expect(await idOf(other)).not.toBe(id);
  });
});
