/**
 * Triggered by a schedule, each minute: tells of the alerts that wait because their channel was away, oldest first, and sends the
 * summaries that are due. A row with a lease for each alert and summary keeps any from going out twice. One that dies leaves the
 * rest to the first one after its lease.
 */

import { createPublisher } from '../../runtime/amqp/publisher.ts';
import { allDone } from '../../runtime/base/errors.ts';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog } from '../../runtime/base/log.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { type BacklogParts, drain } from '../../shared/alerts/backlog.ts';
import { forgetCounted, summarize } from '../../shared/alerts/digests.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import { createMailer } from '../../shared/delivery/mail.ts';

/** Milliseconds for one queue: the next run goes on. */
const budgetMs = 45_000;

export function createHandler(parts: BacklogParts) {
  const { db, log } = parts;
  /** Throws what kept it from its work, for the operator to see, when all other queues are done. */
  return async (): Promise<{ told: number }> => {
    let told = 0;
    const drainAll = (queues: readonly string[]) =>
      allDone(
        queues.map(async (queue) => {
          told += await drain(parts, queue, { budgetMs });
        }),
      );
    const waiting = await db.selectFrom('alert_backlog').select('queue').distinct().execute();
    const drained = drainAll(waiting.map(({ queue }) => queue));
    // Another queue's absence is no reason to keep a summary back.
    const summarized = summarize(db).then(drainAll);
    await allDone([drained, summarized, forgetCounted(db)]);
    if (told > 0) log?.info({ told }, 'told of alerts that waited');
    return { told };
  };
}

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'database', 'mail', 'alerts', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    mailer: createMailer(config.mail),
    publisher: createPublisher({ url: config.broker.AMQP_URL, name }),
    routes: config.alerts.ALERT_ROUTES,
    log: createLog(config.log),
  });
});
