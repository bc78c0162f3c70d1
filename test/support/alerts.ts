import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import { rabbitMQEvent, recordingPublisher, type TestMessage } from 'warren/testing';
import { createHandler as createEmail } from '../../functions/alerts/email.ts';
import { createHandler as createFlush } from '../../functions/alerts/flush.ts';
import { silentLog } from '../../runtime/base/log.ts';
import { EventSource } from '../../runtime/event-source/event-source.ts';
import type { Invoke } from '../../runtime/event-source/invoke.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import type { AlertDeps } from '../../shared/alerts/backlog-entry.ts';
import type { AlertRoute } from '../../shared/alerts/routes.ts';
import { createMailer, mailSettings } from '../../shared/delivery/mail.ts';
import { openBroker, type TestBroker } from './broker.ts';
import { type OwnDatabase, ownDatabase } from './database.ts';
import { openDeps } from './deps.ts';
import { mailsTo } from './mailbox.ts';
import { stack } from './stack.ts';

export const subject = 'CRITICAL ALERT';

/** What the tests of a file about alerts share, with a database of its own: a flush is for all queues. */
export function alertSystem() {
  const deps = openDeps();
  let own: OwnDatabase;
  let broker: TestBroker;
  let to = '';
  beforeAll(async () => {
    [own, broker] = await Promise.all([ownDatabase(), openBroker()]);
  });
  beforeEach(() => {
    to = `audience-${randomUUID()}@example.com`;
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    // What a test left there would leave by the failure policy at the next flush, which has other routes.
    for (const table of ['alert_backlog', 'alert_digests', 'alert_pauses'] as const) {
      await own.db.deleteFrom(table).execute();
    }
  });
  afterAll(() => Promise.all([own.drop(), broker.close(), deps.close()]));

  /** To an address of the test. A second, so that a summary is due when a test has done what it is about. */
  const routeTo = (settings: Partial<AlertRoute> = {}): AlertRoute =>
    ({ subject, to, summary_interval: 1, ...settings }) as AlertRoute;

  const partsOf = (settings: Partial<AlertDeps> = {}): AlertDeps => {
    const { mailer, publisher } = deps;
    return { mailer, publisher, db: own.db, routes: { critical: routeTo() }, ...settings };
  };

  return {
    db: () => own.db,
    broker: () => broker,
    mails: () => mailsTo(to),
    routeTo,
    partsOf,
    /** The functions, with copies of failed messages kept for a test to see. */
    open(settings: Partial<AlertDeps> = {}) {
      const publisher = recordingPublisher();
      const copies = publisher.published;
      const parts = partsOf({ publisher, ...settings });
      const email = createEmail(parts);
      return {
        copies,
        flush: createFlush(parts),
        deliver: (messages: readonly Partial<TestMessage>[]) =>
          email(rabbitMQEvent(messages.map((each) => ({ queue: 'critical', body: 'x', ...each })))),
      };
    },
    /** Flushes until so many mails are there: when a summary is due decides the database's clock. */
    async untilMails(flush: () => Promise<unknown>, expected: number) {
      const enough = async () => {
        await flush();
        expect(await mailsTo(to)).toHaveLength(expected);
      };
      await vi.waitFor(enough, { timeout: 15_000, interval: 200 });
      return mailsTo(to);
    },
    waiting: async (queue: string) =>
      (await own.db.selectFrom('alert_backlog').select('id').where('queue', '=', queue).execute()).length,
    digest: (key: string) =>
      own.db.selectFrom('alert_digests').selectAll().where('dedup_key', '=', key).executeTakeFirst(),
  };
}

/** An alert with a key and an id of its own. */
export const same = (key: string, settings: Partial<TestMessage> = {}): Partial<TestMessage> => ({
  messageId: randomUUID(),
  headers: { dedup_key: key },
  ...settings,
});

/** Sends to a mail server of that port; default one that is not there. */
export const mailerOf = (port = 9, scheme = 'smtp') =>
  createMailer(readSettings({ mail: mailSettings }, { SMTP_URL: `${scheme}://127.0.0.1:${port}` }).mail);

/** Feeds a function from a queue of the broker. */
export async function feed(queue: string, batchSize: number, invoke: Invoke): Promise<EventSource> {
  const mapping = { functionName: 'email-alert', queue, vhost: '/', arn: 'arn:test' };
  const source = new EventSource({
    url: stack.AMQP_URL,
    mappings: [{ ...mapping, batchSize, windowMs: 20 }],
    invoke: () => invoke,
    log: silentLog,
  });
  await source.start();
  return source;
}
