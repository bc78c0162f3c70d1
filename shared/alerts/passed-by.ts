/** Alerts that fail while their channel takes others: they leave the order of the backlog, and are retried on their own. */

import { LeasedError } from 'warren/effects';
import { policyOf, silentLog } from 'warren/functions';
import { type BacklogEntry, dueInBacklog, leastFailed, recordFailure } from './backlog.ts';
import { type AlertDeps, type Attempt, deadLetterTooOld, deliverEntry } from './backlog-entry.ts';
import { askedPause } from './pauses.ts';

/** Failed attempts in a row after which a delivery of alerts that were passed by ends. */
const maxFailures = 3;

export interface Passing {
  /** Number of alerts removed from the backlog. */
  removed: number;
  /** Whether the channel takes another alert; undefined if there is no other. */
  works: boolean | undefined;
}

/**
 * Checks whether the channel is unavailable for one alert only: another one is tried, and then the first one again, because the
 * channel may have become available in between. If only the first one fails, it is passed by.
 *
 * @param attempt delivers the other one.
 */
export async function passBy(
  deps: AlertDeps,
  entry: BacklogEntry,
  attempt: (entry: BacklogEntry) => Promise<Attempt>,
): Promise<Passing> {
  const { db, log = silentLog } = deps;
  const { queue, key } = entry.alert;
  let removed = 0;
  let other = await leastFailed(db, queue, entry);
  for (; other; other = await leastFailed(db, queue, entry)) {
    const probe = await attempt(other);
    removed += probe.removed;
    if (probe.expired) continue;
    if (probe.unavailable === undefined) break;
    // The next check tries another one, in case this alert is a reason too.
    if (!(probe.unavailable instanceof LeasedError)) await recordFailure(db, other);
    return { removed, works: false };
  }
  if (!other) return { removed, works: undefined };
  // The channel takes others, so that a pause it asks for now is about this alert.
  const again = await deliverEntry(deps, entry);
  if (again.unavailable !== undefined && !(again.unavailable instanceof LeasedError)) {
    await recordFailure(db, entry, pauseAfter(entry, again.unavailable));
    log.warn({ queue, key, err: again.unavailable }, 'the channel takes other alerts, this one is passed by');
  }
  return { removed: removed + again.removed, works: true };
}

/** Seconds until the next attempt of an alert that is passed by. */
function pauseAfter({ alert, failures }: BacklogEntry, error: unknown): number {
  const { delays } = policyOf(alert.queue);
  return Math.max(delays[failures] ?? delays.at(-1) ?? 0, askedPause(error) ?? 0);
}

/**
 * Delivers the alerts that were passed by and are due.
 *
 * @param until end of its time, by `performance.now()`.
 * @returns the number of alerts removed.
 */
export async function deliverPassedBy(deps: AlertDeps, queue: string, until: number): Promise<number> {
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
    else await recordFailure(db, due, pauseAfter(due, unavailable));
  }
  return settled;
}
