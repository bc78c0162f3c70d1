/**
 * Triggered by a schedule, each minute: tells of the alerts that wait because their channel was away, oldest first, and sends the
 * summaries that are due. A row with a lease for each alert and summary keeps any from going out twice. One that dies leaves the
 * rest to the first one after its lease.
 */

import { allDone, lambda, log, publisher } from 'warren/functions';
import { alertRoutes } from '../../shared/alerts/alert-routes.ts';
import { type BacklogParts, drain } from '../../shared/alerts/backlog.ts';
import { forgetCounted, summarize } from '../../shared/alerts/digests.ts';
import { database } from '../../shared/database/resource.ts';
import { mailer } from '../../shared/delivery/mail.ts';

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

export const handler = lambda({ db: database, mailer, publisher, routes: alertRoutes, log }, createHandler);
