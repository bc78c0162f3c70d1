/** Delivers the alerts of a backlog, oldest first, and passes by those that fail while others are delivered. */

import { setTimeout as pause } from 'node:timers/promises';
import { LeasedError } from 'warren/effects';
import { policyOf, silentLog } from 'warren/functions';
import { type BacklogEntry, oldestInBacklog, oldInBacklog } from './backlog.ts';
import { type AlertDeps, type Attempt, deadLetterTooOld, deliverEntry } from './backlog-entry.ts';
import { deliverPassedBy, passBy } from './passed-by.ts';
import { askedPause, pauseChannel, readPause } from './pauses.ts';

export interface BacklogDeliveryOptions {
  /** Time limit in milliseconds, default 5000. The next delivery continues with the rest. */
  budgetMs?: number;
  /** Whether to wait while another process holds the lease of the oldest alert; by default the rest is left to it. */
  waitForLease?: boolean;
}

/** Pauses in a row for one alert after which another one is tried first, in case the channel refuses only this one. */
const maxPauses = 3;

/**
 * Delivers the backlog of a queue, one alert after the other. Several processes may do this at the same time: each of them
 * delivers only the oldest alert, and leaves an alert to the process that holds its lease. An alert that fails for another
 * reason than an unavailable channel goes to the failure policy, so that it does not block the next one.
 *
 * If the channel is unavailable for the oldest alert and takes another one, the alert itself is the reason: it is passed by and
 * retried on its own, after growing pauses. While the channel is unavailable, an alert that has been in the backlog for longer
 * than its queue's `maxAge` is dead-lettered. A channel that asks for a pause is not called before its end.
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
  const last = await readPause(db, queue);
  if (last?.active) return 0;
  const until = performance.now() + budgetMs;
  let settled = 0;
  const tryOther = async (entry: BacklogEntry) => {
    const { removed, works } = await passBy(deps, entry, (other) => attempt(deps, other));
    settled += removed;
    return works;
  };
  while (performance.now() < until) {
    const next = await oldestInBacklog(db, queue);
    if (!next) return settled + (await deliverPassedBy(deps, queue, until));
    if (last && last.times >= maxPauses && last.alertId === next.id) {
      const works = await tryOther(next);
      if (works) continue;
      if (works === false) break;
    }
    const { removed, unavailable } = await attempt(deps, next);
    settled += removed;
    if (unavailable === undefined) continue;
    if (unavailable instanceof LeasedError) {
      if (!waitForLease) break;
      await pause(leasePauseMs);
      continue;
    }
    if (askedPause(unavailable) === undefined && (await tryOther(next))) continue;
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

/** Delivers an alert, and records the pause that the channel asks for. */
async function attempt(deps: AlertDeps, entry: BacklogEntry): Promise<Attempt> {
  const result = await deliverEntry(deps, entry);
  const seconds = askedPause(result.unavailable);
  if (seconds !== undefined) await pauseChannel(deps.db, { ...entry.alert, id: entry.id }, seconds);
  return result;
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
