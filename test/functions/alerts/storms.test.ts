import { randomUUID } from 'node:crypto';
import type { KyselyPlugin } from 'kysely';
import { describe, expect, it, vi } from 'vitest';
import type { TestMessage } from 'warren/testing';
import { createHandler as createEmail } from '../../../functions/alerts/email.ts';
import { createHandler as createFlush } from '../../../functions/alerts/flush.ts';
import type { AlertRoute } from '../../../shared/alerts/routes.ts';
import { summarize } from '../../../shared/alerts/summaries.ts';
import { alertSystem, feed, same, subject } from '../../support/alerts.ts';
import { unique } from '../../support/broker.ts';

const many = 10_000;
const alerts = alertSystem();

/** Counts the statements that count alerts. */
const counting = () => {
  let statements = 0;
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      if (node.kind === 'RawNode' && node.sqlFragments.join('').includes('alert_seen')) statements += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  return { db: alerts.db().withPlugin(plugin), statements: () => statements };
};

describe('a storm of alerts with one key', () => {
  it(`of ${many} results in one immediate mail and one summary, with one statement per batch`, async () => {
    const queue = await alerts.broker().queue('storm');
    const routes = { [queue]: alerts.routeTo() };
    const key = unique('storm');
    const { db, statements } = counting();
    const parts = alerts.partsOf({ db, routes });
    const batches: number[] = [];
    const email = createEmail(parts);
    const timestamp = Math.floor(Date.now() / 1000) - 100;
    for (let n = 0; n < many; n += 1) {
      const options = {
        contentType: 'application/json',
        messageId: `${key}-${n}`,
        headers: { dedup_key: key },
      };
      const when = { timestamp: timestamp + Math.floor((n / many) * 90), persistent: true };
      alerts.broker().channel.sendToQueue(queue, Buffer.from(`"disk full ${n}"`), { ...options, ...when });
    }
    await alerts.broker().channel.waitForConfirms();
    const source = await feed(queue, 100, async (event) => {
      batches.push(Object.values(event.rmqMessagesByQueue)[0]?.length ?? 0);
      await email(event);
    });
    await expect.poll(async () => (await alerts.digest(key))?.more, { timeout: 60_000 }).toBe(many - 1);
    expect(await alerts.mails()).toMatchObject([{ subject, text: expect.stringMatching(/^disk full 0\n/) }]);
    await source.stop();
    expect(await alerts.broker().count(queue)).toBe(0);
    expect(statements()).toBeLessThanOrEqual(batches.length);
    expect(batches.length).toBeLessThan(many / 20);
    const mails = await alerts.untilMails(createFlush(parts), 2);
    const summary = mails.find((mail) => mail.subject !== subject);
    expect(summary?.subject).toBe('CRITICAL ALERT: 9,999 more');
    expect(summary?.text).toContain(`9,999 more alerts with the key "${key}"`);
    const at = (seconds: number) => new Date((timestamp + seconds) * 1000).toISOString();
    expect(summary?.text).toContain(`First: ${at(0)}\nLast: ${at(89)}`);
    // An interval without alerts ends the digest, and the next alert is a first one again.
    await vi.waitFor(
      async () => {
        await createFlush(parts)();
        expect(await alerts.digest(key)).toBeUndefined();
      },
      { timeout: 15_000, interval: 200 },
    );
    await alerts.open({ routes }).deliver([same(key, { queue })]);
    expect(await alerts.mails()).toHaveLength(3);
  }, 120_000);

  it('is counted once per message id, also for repeated and concurrent deliveries', async () => {
    const { deliver, flush, copies } = alerts.open();
    const key = unique('key');
    const messages = Array.from({ length: 50 }, () => same(key));
    await Promise.all([deliver(messages), deliver([...messages].reverse()), deliver(messages)]);
    await deliver(messages);
    expect(copies).toEqual([]);
    expect(await alerts.mails()).toHaveLength(1);
    expect((await alerts.untilMails(flush, 2)).map((mail) => mail.subject)).toContain(`${subject}: 49 more`);
    await Promise.all([flush(), flush()]);
    expect(await alerts.mails()).toHaveLength(2);
  });

  it('is summarized in one run with all due digests, regardless of the number of keys', async () => {
    const [queue, other] = [unique('queue'), unique('other')];
    const keys = Array.from({ length: 2100 }, (_, n) => `key ${n}`);
    const digest = (dedup_key: string, of = queue) => ({
      queue: of,
      dedup_key,
      opened_at: new Date(0),
      first_at: new Date(0),
      last_at: new Date(0),
      more: 1,
      summary_interval: 300,
      due_at: new Date(0),
      last: JSON.stringify({ body: 'x' }),
    });
    await alerts
      .db()
      .insertInto('alert_digests')
      .values([...keys.map((key) => digest(key)), digest('late', other)])
      .execute();
    const waits = { hash: unique('hash'), queue: other, alert: '{}', raised_at: new Date(0) };
    await alerts.db().insertInto('alert_backlog').values(waits).execute();
    expect(await summarize(alerts.db())).toEqual([queue]);
    expect([await alerts.waiting(queue), await alerts.waiting(other)]).toEqual([2100, 1]);
    expect(await alerts.digest('late')).toMatchObject({ more: 1 });
    expect(await summarize(alerts.db())).toEqual([]);
  });

  it('counts each delivery of an alert without a message id', async () => {
    const { deliver, flush } = alerts.open();
    const message = same(unique('key'), { messageId: undefined });
    await deliver([message, message]);
    await deliver([message]);
    expect((await alerts.untilMails(flush, 2)).map((mail) => mail.subject)).toContain(`${subject}: 2 more`);
  });

  it('is counted separately for each key and each audience', async () => {
    const other = alerts.routeTo({ subject: 'OTHER' });
    const { deliver } = alerts.open({ routes: { critical: alerts.routeTo(), other } });
    const [a, b] = [unique('a'), unique('b')];
    await deliver([same(a), same(b), same(a), { ...same(a), queue: 'other' }, { messageId: randomUUID() }]);
    const subjects = (await alerts.mails()).map((mail) => mail.subject).sort();
    expect(subjects).toEqual([subject, subject, subject, 'OTHER']);
  });

  it.each<[string, Partial<AlertRoute>, Partial<TestMessage>]>([
    ['the field of the body', {}, { body: { dedup_key: 'disk', used: 100 } }],
    ['the routing key, if the route specifies it', { dedup: 'routing_key' }, { routingKey: 'critical.disk' }],
  ])('is grouped by %s', async (_what, settings, message) => {
    const queue = unique('queue');
    const { deliver } = alerts.open({ routes: { [queue]: alerts.routeTo(settings) } });
    const alert = () => ({ queue, messageId: randomUUID(), ...message });
    await deliver([alert(), alert(), alert()]);
    expect(await alerts.mails()).toHaveLength(1);
    await deliver([{ ...alert(), headers: { dedup_key: '' } }]);
    expect(await alerts.mails()).toHaveLength(2);
  });

  it('storm: alerts whose keys are 64-bit headers that an event cannot hold are all mailed', async () => {
    const queue = unique('queue');
    const { deliver } = alerts.open({ routes: { [queue]: alerts.routeTo() } });
    const headers = { dedup_key: 9_007_199_254_740_992 };
    await deliver([1, 2].map(() => ({ queue, messageId: randomUUID(), headers })));
    expect(await alerts.mails()).toHaveLength(2);
  });

  it.each([7, 'two\nlines', 'x'.repeat(240), '\ud83d', 9007199254740991])(
    'storm: alerts with the unusual key %j are grouped, and none is dead-lettered',
    async (dedup_key) => {
      const queue = unique('queue');
      const { deliver, copies } = alerts.open({ routes: { [queue]: alerts.routeTo() } });
      const alert = () => ({ queue, messageId: randomUUID(), body: { dedup_key } });
      await deliver([alert(), alert(), same(unique('good'), { queue })]);
      expect(copies).toEqual([]);
      expect(await alerts.mails()).toHaveLength(2);
    },
  );

  it.each([[['disk']], [{ disk: 7 }], [true]])(
    'storm: alerts with the key %j, which groups nothing, are all mailed',
    async (dedup_key) => {
      const { deliver, copies } = alerts.open();
      const alert = () => ({ messageId: randomUUID(), body: { dedup_key } });
      await deliver([alert(), alert()]);
      expect(copies).toEqual([]);
      expect(await alerts.mails()).toHaveLength(2);
    },
  );

  it('storm: two long keys with the same beginning are two keys', async () => {
    const { deliver } = alerts.open();
    await deliver(['a', 'b'].map((end) => same(`${'x'.repeat(230)}${end}`)));
    expect(await alerts.mails()).toHaveLength(2);
  });
});
