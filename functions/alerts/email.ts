/**
 * Triggered by the queue of each audience, `critical` and `rate_limit`: notifies it of an alert by mail or webhook.
 * ALERT_ROUTES in serverless.yml maps each queue to a subject and a recipient. A lease row prevents a second notification when
 * a message id is delivered again; an alert without an id (foreign producers may omit it) is sent each time. The first of
 * the alerts with one `dedup_key` is sent immediately; the others are counted once per message id, for the summaries of
 * `flush-alerts`. While the channel is unavailable, alerts wait in a backlog in the database. Newer alerts join that
 * backlog, and this function and `flush-alerts` deliver it.
 */

import pLimit from 'p-limit';
import { lambda, log, onMessages, publisher } from 'warren/functions';
import { alertOf } from '../../shared/alerts/alert.ts';
import { alertRoutes } from '../../shared/alerts/alert-routes.ts';
import { createSharedDelivery, deliverBacklog } from '../../shared/alerts/backlog-delivery.ts';
import type { AlertDeps } from '../../shared/alerts/backlog-entry.ts';
import { alertRaised } from '../../shared/alerts/contracts.ts';
import { dedupKeyOf } from '../../shared/alerts/dedup-key.ts';
import { deliverInOrder } from '../../shared/alerts/deliver-in-order.ts';
import { createCounter } from '../../shared/alerts/digests.ts';
import { checkRoutes, routeOf } from '../../shared/alerts/routes.ts';
import { database } from '../../shared/database/resource.ts';
import { mailer } from '../../shared/delivery/mail.ts';

/** Maximum number of mails in flight. */
const maxMails = 15;

export function createHandler(deps: AlertDeps) {
  const { db, routes, publisher, log } = deps;
  const count = createCounter(db);
  const limit = pLimit(maxMails);
  const deliverShared = createSharedDelivery(deps);
  // The whole batch runs at once, so that its alerts are counted together.
  const settings = { contract: alertRaised, publisher, concurrency: 100, ...(log && { log }) };
  return onMessages(settings, async (message) => {
    const { queue, attempt } = message;
    const route = routeOf(routes, queue);
    const dedupKey = dedupKeyOf(message, route);
    const alert = alertOf(message);
    if (dedupKey === undefined) {
      const outcome = await limit(deliverInOrder, deps, alert, attempt);
      return outcome === 'joined' ? deliverShared(queue) : undefined;
    }
    const opened = await count({ alert, dedupKey, summaryInterval: route.summary_interval });
    return opened ? limit(deliverBacklog, deps, queue) : undefined;
  });
}

export const handler = lambda({ db: database, mailer, publisher, routes: alertRoutes, log }, createHandler, {
  check: ({ routes }, queues) => checkRoutes(routes, queues),
});
