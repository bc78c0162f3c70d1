/**
 * Triggered by the queue of each audience, `critical` and `rate_limit`: tells it of the alert, by mail or through a webhook.
 * Which subject and recipient belong to a queue says ALERT_ROUTES in serverless.yml. A row with a lease keeps a second
 * delivery of the same message id from telling again; an alert without an id (foreign producers may leave it out) is told each
 * time. Alerts with the same `dedup_key` are one mail at once, and counted for the summaries that `flush-alerts` sends; each is
 * counted once, by its message id. While the channel is away alerts wait in the database, for `flush-alerts` as well;
 * one that comes then waits behind them, and whoever puts it there tells of some that are older.
 */

import pLimit from 'p-limit';
import { lambda, log, onMessages, publisher } from 'warren/functions';
import { z } from 'zod';
import { alertOf, dedupKeyOf } from '../../shared/alerts/alert.ts';
import { alertRoutes } from '../../shared/alerts/alert-routes.ts';
import { type BacklogParts, createSharedDrain, drain, tellInTurn } from '../../shared/alerts/backlog.ts';
import { createCounter } from '../../shared/alerts/digests.ts';
import { routeOf } from '../../shared/alerts/routes.ts';
import { database } from '../../shared/database/resource.ts';
import { mailer } from '../../shared/delivery/mail.ts';

/** Mails on their way at a time. */
const atATime = 15;

export function createHandler(parts: BacklogParts) {
  const { db, routes, publisher, log } = parts;
  const count = createCounter(db);
  const limit = pLimit(atATime);
  const drainShared = createSharedDrain(parts);
  // A whole batch at a time, for its alerts to be counted together.
  const settings = { schema: z.json(), publisher, concurrency: 100, ...(log && { log }) };
  return onMessages(settings, async (message) => {
    const { queue, attempt } = message;
    const route = routeOf(routes, queue);
    const dedupKey = dedupKeyOf(message, route);
    const alert = alertOf(message);
    if (dedupKey === undefined) {
      const outcome = await limit(tellInTurn, parts, alert, attempt);
      return outcome === 'behind' ? drainShared(queue) : undefined;
    }
    const opened = await count({ alert, dedupKey, summaryInterval: route.summary_interval });
    return opened ? limit(drain, parts, queue) : undefined;
  });
}

export const handler = lambda({ db: database, mailer, publisher, routes: alertRoutes, log }, createHandler);
