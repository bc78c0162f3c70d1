/**
 * Triggered by a schedule, each minute: delivers the backlogs of alerts, oldest first, and sends the summaries that are due. A
 * lease row for each alert and summary prevents sending it twice. If a run dies, the first run after its lease continues.
 */

import { allDone, lambda, log, publisher } from 'warren/functions';
import { alertRoutes } from '../../shared/alerts/alert-routes.ts';
import { deliverBacklog } from '../../shared/alerts/backlog-delivery.ts';
import type { AlertDeps } from '../../shared/alerts/backlog-entry.ts';
import { forgetCounted } from '../../shared/alerts/digests.ts';
import { summarize } from '../../shared/alerts/summaries.ts';
import { database } from '../../shared/database/resource.ts';
import { mailer } from '../../shared/delivery/mail.ts';

/** Time limit for one queue in milliseconds. The next run continues with the rest. */
const budgetMs = 45_000;

export function createHandler(deps: AlertDeps) {
  const { db, log } = deps;
  /** Throws a failure, for the operator to see, only after all other queues are done. */
  return async (): Promise<{ told: number }> => {
    let told = 0;
    const deliverAll = (queues: readonly string[]) =>
      allDone(
        queues.map(async (queue) => {
          told += await deliverBacklog(deps, queue, { budgetMs });
        }),
      );
    const backlogs = await db.selectFrom('alert_backlog').select('queue').distinct().execute();
    const delivered = deliverAll(backlogs.map(({ queue }) => queue));
    // The outage of one channel must not delay the summaries of another.
    const summarized = summarize(db).then(deliverAll);
    await allDone([delivered, summarized, forgetCounted(db)]);
    if (told > 0) log?.info({ told }, 'delivered alerts from the backlog');
    return { told };
  };
}

export const handler = lambda({ db: database, mailer, publisher, routes: alertRoutes, log }, createHandler);
