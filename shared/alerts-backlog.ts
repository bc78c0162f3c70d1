/**
 * Alerts wait here while the channel of their audience is away, and go out oldest first when it is back. Retry queues
 * would not keep an order: each of them lets its messages go when their time is over, whatever waits in the others.
 */
import type { Kysely } from 'kysely';
import { type Alert, hashOf, messageOf, raisedAt } from './alerts.ts';
import { type AlertRoutes, routeOf } from './alerts-routes.ts';
import { type TellingParts, tellOnce } from './alerts-telling.ts';
import type { Database } from './database/schema.ts';
import { UnavailableError } from './errors.ts';
import { type Log, silentLog } from './log.ts';
import { decide, failedCopy, policyOf, tellSetAside } from './rabbitmq/failure-policy.ts';
import type { PublisherLike } from './rabbitmq/publisher.ts';

export interface BacklogParts extends TellingParts {
  publisher: PublisherLike;
  routes: AlertRoutes;
  log?: Log | undefined;
}

/** Whether alerts of a queue wait: then later ones wait behind them. */
async function isBehind(db: Kysely<Database>, queue: string): Promise<boolean> {
  const row = await db
    .selectFrom('alert_backlog')
    .select('id')
    .where('queue', '=', queue)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Keeps alerts for later; one that is kept already stays where it is. */
export async function keep(db: Kysely<Database>, alerts: readonly Alert[]): Promise<void> {
  const rows = alerts.map((alert) => ({
    ...{ hash: hashOf(alert), queue: alert.queue, raised_at: raisedAt(alert) },
    alert: JSON.stringify(alert),
  }));
  await db
    .insertInto('alert_backlog')
    .values(rows)
    .onConflict((conflict) => conflict.column('hash').doNothing())
    .execute();
}

/** Tries of an alert of its own, 1 s and 10 s apart by default, before it takes its place among those that wait. */
const ownTries = 3;

/**
 * Tells an alert, unless others wait: then it waits behind them.
 *
 * @param attempt the how manieth delivery this is; a channel that is away is tried a few times before the alert waits.
 * @throws as `tellOnce`, for the failure policy.
 */
export async function tellInTurn(parts: BacklogParts, alert: Alert, attempt: number): Promise<void> {
  const { db, routes, log = silentLog } = parts;
  const { queue, key } = alert;
  if (await isBehind(db, queue)) return keep(db, [alert]);
  try {
    await tellOnce(parts, routeOf(routes, queue), alert);
  } catch (error) {
    if (!isChannelAway(error) || attempt < ownTries) throw error;
    await keep(db, [alert]);
    log.warn({ queue, key, err: error }, 'the channel for alerts is away, it waits');
  }
}

/**
 * Tells what waits for a queue's audience, oldest first, one after the other. Several may be at it at a time: only the oldest is
 * ever told, and who finds it claimed leaves the rest to whoever claimed it. What can't be told for another reason than an
 * absence leaves by the failure policy, so that it holds up nobody.
 *
 * @param budgetMs after how many milliseconds to leave the rest to the next one, default 5000.
 * @returns how many are settled; where the channel is away, the rest stays.
 * @throws UnavailableError where the database is away, or the broker for one that leaves by the failure policy.
 */
export async function drain(parts: BacklogParts, queue: string, budgetMs = 5000): Promise<number> {
  const { db, log = silentLog } = parts;
  const until = performance.now() + budgetMs;
  let settled = 0;
  try {
    while (performance.now() < until) {
      const next = await oldest(db, queue);
      if (!next) break;
      await tellOrSetAside(parts, next.alert);
      const { numDeletedRows } = await db
        .deleteFrom('alert_backlog')
        .where('id', '=', next.id)
        .executeTakeFirst();
      settled += Number(numDeletedRows);
    }
  } catch (error) {
    if (!isChannelAway(error)) throw error;
    log.info({ queue, settled, err: error }, 'alerts wait');
  }
  return settled;
}

/** Whether an error says that mail or webhook is away, or somebody else is at it: the backlog waits for that. */
function isChannelAway(error: unknown): boolean {
  return error instanceof UnavailableError && ['mail', 'webhook'].includes(error.dependency);
}

async function tellOrSetAside(parts: BacklogParts, alert: Alert): Promise<void> {
  const { publisher, routes, log = silentLog } = parts;
  const { queue, key } = alert;
  try {
    await tellOnce(parts, routeOf(routes, queue), alert);
  } catch (error) {
    if (error instanceof UnavailableError) throw error;
    const message = messageOf(alert);
    const now = new Date();
    const verdict = decide(error, message, now, policyOf(queue));
    await publisher.publish(failedCopy(message, verdict, error, now));
    tellSetAside(queue, verdict);
    log.warn({ queue, key, verdict, err: error }, 'alert failed and was set aside');
  }
}

async function oldest(
  db: Kysely<Database>,
  queue: string,
): Promise<{ id: number; alert: Alert } | undefined> {
  const row = await db
    .selectFrom('alert_backlog')
    .select(['id', 'alert'])
    .where('queue', '=', queue)
    .orderBy('raised_at')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row && { id: row.id, alert: row.alert as Alert };
}
