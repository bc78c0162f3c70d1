/**
 * Alerts wait here while the channel of their audience is away, and go out oldest first when it is back. Retry queues
 * would not keep an order: each of them lets its messages go when their time is over, whatever waits in the others.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import {
  decide,
  type Log,
  type PublisherLike,
  policyOf,
  republish,
  silentLog,
  UnavailableError,
} from 'warren/functions';
import type { Database } from '../database/schema.ts';
import { ClaimedError } from '../delivery/mail-once.ts';
import { type Alert, hashOf, messageOf, raisedAt } from './alert.ts';
import { type TellingParts, tellOnce } from './notification.ts';
import { type AlertRoutes, routeOf } from './routes.ts';

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
 * Tells an alert, unless others wait: then it waits behind them, and the backlog has to be drained.
 *
 * @param attempt the how manieth delivery this is; a channel that is away is tried a few times before the alert waits.
 * @throws as `tellOnce`, for the failure policy.
 */
export async function tellInTurn(
  parts: BacklogParts,
  alert: Alert,
  attempt: number,
): Promise<'told' | 'behind' | 'away'> {
  const { db, routes, log = silentLog } = parts;
  const { queue, key } = alert;
  if (await isBehind(db, queue)) {
    await keep(db, [alert]);
    return 'behind';
  }
  try {
    await tellOnce(parts, routeOf(routes, queue), alert);
    return 'told';
  } catch (error) {
    if (!isChannelAway(error) || attempt < ownTries) throw error;
    await keep(db, [alert]);
    log.warn({ queue, key, err: error }, 'the channel for alerts is away, it waits');
    return 'away';
  }
}

/** Milliseconds; two such drains one after the other, with mails that take their time, fit into the function's. */
const shareMs = 30_000;

/**
 * Drains for the alerts of a batch that were put behind others: one drain for all of them, and the batch ends when it does.
 * So no more come than go, and a busy queue catches up, whoever else is at its backlog.
 */
export function createSharedDrain(parts: BacklogParts): (queue: string) => Promise<void> {
  const running = new Map<string, Promise<number>>();
  const start = (queue: string) => {
    const options = { budgetMs: shareMs, patient: true };
    const draining = drain(parts, queue, options).finally(() => running.delete(queue));
    running.set(queue, draining);
    return draining;
  };
  return async (queue) => {
    // One that is under way may have looked before this alert was there.
    await running.get(queue);
    await (running.get(queue) ?? start(queue));
  };
}

export interface DrainOptions {
  /** After how many milliseconds to leave the rest to the next one, default 5000. */
  budgetMs?: number;
  /** Whether to wait while another one is at it, default not: it is left the rest. */
  patient?: boolean;
}

/**
 * Tells what waits for a queue's audience, oldest first, one after the other. Several may be at it at a time: only the oldest is
 * ever told, and who finds it claimed leaves it to whoever claimed it. What can't be told for another reason than an
 * absence leaves by the failure policy, so that it holds up nobody.
 *
 * @returns how many are settled; where the channel is away, the rest stays.
 * @throws UnavailableError where the database is away, or the broker for one that leaves by the failure policy.
 */
export async function drain(
  parts: BacklogParts,
  queue: string,
  { budgetMs = 5000, patient = false }: DrainOptions = {},
): Promise<number> {
  const { db, log = silentLog } = parts;
  const until = performance.now() + budgetMs;
  let settled = 0;
  while (performance.now() < until) {
    const next = await oldest(db, queue);
    if (!next) break;
    try {
      await tellOrSetAside(parts, next.alert);
    } catch (error) {
      if (patient && error instanceof ClaimedError) {
        await pause(claimPauseMs);
        continue;
      }
      if (!isChannelAway(error)) throw error;
      log.info({ queue, settled, err: error }, 'alerts wait');
      break;
    }
    const { numDeletedRows } = await db
      .deleteFrom('alert_backlog')
      .where('id', '=', next.id)
      .executeTakeFirst();
    settled += Number(numDeletedRows);
  }
  return settled;
}

/** Between two looks at an alert that another one is telling. */
const claimPauseMs = 200;

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
    await republish(publisher, { message, verdict, error, at: now });
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
