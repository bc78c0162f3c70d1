/** Delivers the alerts of a backlog, oldest first. */

import { setTimeout as pause } from 'node:timers/promises';
import {
  decide,
  type Log,
  type PublisherLike,
  policyOf,
  republish,
  silentLog,
  UnavailableError,
} from 'warren/functions';
import { ClaimedError } from '../delivery/mail-once.ts';
import { type Alert, messageOf } from './alert.ts';
import { oldestInBacklog, removeFromBacklog } from './backlog.ts';
import { isChannelUnavailable, type NotifyDeps, notifyAudience } from './notify.ts';
import { type AlertRoutes, routeOf } from './routes.ts';

export interface AlertDeps extends NotifyDeps {
  publisher: PublisherLike;
  routes: AlertRoutes;
  log?: Log | undefined;
}

export interface BacklogDeliveryOptions {
  /** Time limit in milliseconds, default 5000. The next delivery continues with the rest. */
  budgetMs?: number;
  /** Whether to wait while another process holds the lease of the oldest alert; by default the rest is left to it. */
  waitForLease?: boolean;
}

/**
 * Delivers the backlog of a queue, one alert after the other. Several processes may do this at the same time: each of them
 * delivers only the oldest alert, and leaves an alert to the process that holds its lease. An alert that fails for another
 * reason than an unavailable channel goes to the failure policy, so that it does not block the next one.
 *
 * @returns the number of alerts removed from the backlog. If the channel is unavailable, the rest stays in it.
 * @throws UnavailableError if the database is unavailable, or the broker for an alert that goes to the failure policy.
 */
export async function deliverBacklog(
  deps: AlertDeps,
  queue: string,
  { budgetMs = 5000, waitForLease = false }: BacklogDeliveryOptions = {},
): Promise<number> {
  const { db, log = silentLog } = deps;
  const until = performance.now() + budgetMs;
  let settled = 0;
  while (performance.now() < until) {
    const next = await oldestInBacklog(db, queue);
    if (!next) break;
    try {
      await notifyOrFail(deps, next.alert);
    } catch (error) {
      if (waitForLease && error instanceof ClaimedError) {
        await pause(leasePauseMs);
        continue;
      }
      if (!isChannelUnavailable(error)) throw error;
      log.info({ queue, settled, err: error }, 'the channel for alerts is unavailable, the backlog stays');
      break;
    }
    settled += await removeFromBacklog(db, next);
  }
  return settled;
}

/** Pause in milliseconds before checking again for an alert that another process is delivering. */
const leasePauseMs = 200;

/** Notifies the audience. If that fails for good, the failure policy takes the alert over. */
async function notifyOrFail(deps: AlertDeps, alert: Alert): Promise<void> {
  const { publisher, routes, log = silentLog } = deps;
  const { queue, key } = alert;
  try {
    await notifyAudience(deps, routeOf(routes, queue), alert);
  } catch (error) {
    if (error instanceof UnavailableError) throw error;
    const message = messageOf(alert);
    const now = new Date();
    const verdict = decide(error, message, now, policyOf(queue));
    await republish(publisher, { message, verdict, error, at: now });
    const level = verdict.to === 'retry' ? 'warn' : 'error';
    log[level]({ queue, key, verdict, err: error }, 'alert failed and went to the failure policy');
  }
}

/** In milliseconds. Two such deliveries in a row, with slow mails, fit into the function's timeout. */
const sharedBudgetMs = 30_000;

/**
 * Creates a delivery for the alerts of a batch that joined a backlog: all of them share one, and the batch ends when it
 * ends. The backlog therefore never grows faster than it shrinks, even if other processes work on it as well.
 */
export function createSharedDelivery(deps: AlertDeps): (queue: string) => Promise<void> {
  const running = new Map<string, Promise<number>>();
  const start = (queue: string) => {
    const options = { budgetMs: sharedBudgetMs, waitForLease: true };
    const delivery = deliverBacklog(deps, queue, options).finally(() => running.delete(queue));
    running.set(queue, delivery);
    return delivery;
  };
  return async (queue) => {
    // A running delivery may have read the backlog before this alert joined it.
    await running.get(queue);
    await (running.get(queue) ?? start(queue));
  };
}
