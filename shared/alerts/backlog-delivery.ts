/** Delivers the alerts of a backlog, oldest first, and passes by those that fail while others are delivered. */

import { setTimeout as pause } from 'node:timers/promises';
import { LeasedError } from 'warren/effects';
import { policyOf, silentLog } from 'warren/functions';
import {
  type BacklogEntry,
  dueInBacklog,
  leastFailed,
  oldestInBacklog,
  oldInBacklog,
  recordFailure,
} from './backlog.ts';
import { type AlertDeps, deadLetterTooOld, deliverEntry } from './backlog-entry.ts';

export interface BacklogDeliveryOptions {
  /** Time limit in milliseconds, default 5000. The next delivery continues with the rest. */
  budgetMs?: number;
  /** Whether to wait while another process holds the lease of the oldest alert; by default the rest is left to it. */
  waitForLease?: boolean;
}

/** Failed attempts in a row after which a delivery of alerts that were passed by ends. */
const maxFailures = 3;

/**
 * Delivers the backlog of a queue, one alert after the other. Several processes may do this at the same time: each of them
 * delivers only the oldest alert, and leaves an alert to the process that holds its lease. An alert that fails for another
 * reason than an unavailable channel goes to the failure policy, so that it does not block the next one.
 *
 * If the channel is unavailable for the oldest alert and takes another one, the alert itself is the reason: it is passed by and
 * retried on its own, after growing pauses. While the channel is unavailable, an alert that has been in the backlog for longer
 * than its queue's `maxAge` is dead-lettered.
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
    if (!next) return settled + (await deliverPassedBy(deps, queue, until));
    const { removed, unavailable } = await deliverEntry(deps, next);
    settled += removed;
    if (unavailable === undefined) continue;
    if (unavailable instanceof LeasedError) {
      if (!waitForLease) break;
      await pause(leasePauseMs);
      continue;
    }
    const passed = await passBy(deps, queue, next);
    settled += passed.removed;
    if (passed.works) continue;
    settled += await expire(deps, queue, { error: unavailable, until });
    log.info(
      { queue, settled, err: unavailable },
      'the channel for alerts is unavailable, the backlog stays',
    );
    break;
  }
  return settled;
}

/** Pause in milliseconds before checking again for an alert that another process is delivering. */
const leasePauseMs = 200;

/**
 * Checks whether the channel is unavailable for one alert only: another one is tried, and then the first one again, because the
 * channel may have become available in between. If only the first one fails, it is passed by.
 *
 * @returns the number of alerts removed, and whether the channel works.
 */
async function passBy(
  deps: AlertDeps,
  queue: string,
  entry: BacklogEntry,
): Promise<{ removed: number; works: boolean }> {
  const { db, log = silentLog } = deps;
  const other = await leastFailed(db, queue, entry);
  if (!other) return { removed: 0, works: false };
  const probe = await deliverEntry(deps, other);
  if (probe.unavailable !== undefined) {
    // The next check tries another one, in case this alert is a reason too.
    if (!(probe.unavailable instanceof LeasedError)) await recordFailure(db, other);
    return { removed: 0, works: false };
  }
  const again = await deliverEntry(deps, entry);
  if (again.unavailable !== undefined && !(again.unavailable instanceof LeasedError)) {
    await recordFailure(db, entry, pauseAfter(queue, entry));
    const { key } = entry.alert;
    log.warn({ queue, key, err: again.unavailable }, 'the channel takes other alerts, this one is passed by');
  }
  return { removed: probe.removed + again.removed, works: true };
}

/** Seconds until the next attempt of an alert that is passed by. */
function pauseAfter(queue: string, { failures }: BacklogEntry): number {
  const { delays } = policyOf(queue);
  return delays[failures] ?? delays.at(-1) ?? 0;
}

/** Delivers the alerts that were passed by and are due. @returns the number of alerts removed. */
async function deliverPassedBy(deps: AlertDeps, queue: string, until: number): Promise<number> {
  const { db } = deps;
  let settled = 0;
  for (let failures = 0; failures < maxFailures && performance.now() < until; ) {
    const due = await dueInBacklog(db, queue);
    if (!due) break;
    const { removed, unavailable } = await deliverEntry(deps, due);
    settled += removed;
    if (unavailable === undefined) continue;
    failures += 1;
    if (due.age >= policyOf(queue).maxAge) settled += await deadLetterTooOld(deps, due, unavailable);
    else await recordFailure(db, due, pauseAfter(queue, due));
  }
  return settled;
}

/** Dead-letters the alerts that have waited for longer than `maxAge`. @returns the number of alerts removed. */
async function expire(
  deps: AlertDeps,
  queue: string,
  { error, until }: { error: unknown; until: number },
): Promise<number> {
  let settled = 0;
  while (performance.now() < until) {
    const old = await oldInBacklog(deps.db, queue, policyOf(queue).maxAge);
    if (!old) break;
    settled += await deadLetterTooOld(deps, old, error);
  }
  return settled;
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
