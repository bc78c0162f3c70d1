/** One alert of a backlog: an attempt to deliver it, and its way out of the backlog. */

import {
  decide,
  isExpired,
  type Log,
  type PublisherLike,
  policyOf,
  republish,
  silentLog,
  UnavailableError,
} from 'warren/functions';
import { messageOf } from './alert.ts';
import { type BacklogEntry, removeFromBacklog } from './backlog.ts';
import { isChannelUnavailable, isForSomeRecipients, type NotifyDeps, notifyAudience } from './notify.ts';
import { type AlertRoutes, routeOf } from './routes.ts';

export interface AlertDeps extends NotifyDeps {
  publisher: PublisherLike;
  routes: AlertRoutes;
  log?: Log | undefined;
}

export interface Attempt {
  /** Number of entries removed from the backlog. */
  removed: number;
  /** The error of an unavailable channel; undefined if the alert was delivered, went to the failure policy, or had expired. */
  unavailable: unknown;
  /** Whether it had expired, so that the attempt shows nothing about the channel. */
  expired?: boolean;
}

/**
 * Notifies the audience of an alert and removes it from the backlog. If it fails for good, the failure policy takes it over. An
 * alert that has expired in the backlog is removed.
 *
 * @throws UnavailableError if the database is unavailable, or the broker for an alert that goes to the failure policy.
 */
export async function deliverEntry(deps: AlertDeps, entry: BacklogEntry): Promise<Attempt> {
  const { db, routes } = deps;
  if (hasExpired(deps, entry)) {
    return { removed: await removeFromBacklog(db, entry), unavailable: undefined, expired: true };
  }
  try {
    await notifyAudience(deps, routeOf(routes, entry.alert.queue), entry.alert);
  } catch (error) {
    if (isChannelUnavailable(error)) return { removed: 0, unavailable: error };
    if (error instanceof UnavailableError && !isForSomeRecipients(error)) throw error;
    await takeOver(deps, entry, error);
  }
  return { removed: await removeFromBacklog(db, entry), unavailable: undefined };
}

/** Dead-letters an alert whose channel was unavailable for too long. @returns the number of entries removed. */
export async function deadLetterTooOld(
  deps: AlertDeps,
  entry: BacklogEntry,
  error: unknown,
): Promise<number> {
  const { db, publisher, log = silentLog } = deps;
  if (hasExpired(deps, entry)) return removeFromBacklog(db, entry);
  const { queue, key } = entry.alert;
  const verdict = { to: 'dead-letters', reason: 'too-old' } as const;
  await republish(publisher, { message: messageOf(entry.alert), verdict, error });
  log.error({ queue, key, verdict, err: error }, 'alert waited for too long and was dead-lettered');
  return removeFromBacklog(db, entry);
}

function hasExpired({ log = silentLog }: AlertDeps, { alert }: BacklogEntry): boolean {
  const { queue, key, headers = {} } = alert;
  if (!isExpired({ headers })) return false;
  log.info({ queue, key }, 'alert expired in the backlog');
  return true;
}

async function takeOver({ publisher, log = silentLog }: AlertDeps, entry: BacklogEntry, error: unknown) {
  const { alert } = entry;
  const { queue, key } = alert;
  const message = messageOf(alert);
  const now = new Date();
  const verdict = decide(error, message, now, policyOf(queue));
  await republish(publisher, { message, verdict, error, at: now });
  const level = verdict.to === 'retry' ? 'warn' : 'error';
  log[level]({ queue, key, verdict, err: error }, 'alert failed and went to the failure policy');
}
