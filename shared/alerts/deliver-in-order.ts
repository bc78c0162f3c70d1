import { silentLog } from 'warren/functions';
import type { Alert } from './alert.ts';
import { addToBacklog, hasBacklog } from './backlog.ts';
import type { AlertDeps } from './backlog-entry.ts';
import { isChannelUnavailable, notifyAudience } from './notify.ts';
import { askedPause, pauseChannel } from './pauses.ts';
import { routeOf } from './routes.ts';

/** Attempts before an alert joins the backlog. By default they are 1 s and 10 s apart. */
const maxAttempts = 3;

/**
 * Delivers an alert, unless its queue has a backlog: then the alert joins it, and the caller has to deliver the backlog.
 *
 * @param attempt delivery count, starting at 1. An unavailable channel is retried twice before the alert joins the backlog, unless
 *   it asks for a pause.
 * @returns what happened: delivered, joined an existing backlog, or started one because the channel is unavailable.
 * @throws the errors of `notifyAudience`, for the failure policy.
 */
export async function deliverInOrder(
  deps: AlertDeps,
  alert: Alert,
  attempt: number,
): Promise<'delivered' | 'joined' | 'unavailable'> {
  const { db, routes, log = silentLog } = deps;
  const { queue, key } = alert;
  if (await hasBacklog(db, queue)) {
    await addToBacklog(db, [alert]);
    return 'joined';
  }
  try {
    await notifyAudience(deps, routeOf(routes, queue), alert);
    return 'delivered';
  } catch (error) {
    const pause = askedPause(error);
    if (!isChannelUnavailable(error) || (attempt < maxAttempts && pause === undefined)) throw error;
    // The alert first: without a pause, it is only tried earlier.
    await addToBacklog(db, [alert]);
    if (pause !== undefined) await pauseChannel(db, alert, pause);
    log.warn(
      { queue, key, err: error },
      'the channel for alerts is unavailable, the alert joins the backlog',
    );
    return 'unavailable';
  }
}
