/**
 * The backlog stores alerts in the database while the channel of their audience is unavailable. Retry queues would not
 * preserve the order, because each of them releases a message when its delay is over, regardless of the others.
 */

import type { Kysely } from 'kysely';
import { stringifyJson } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import { type Alert, hashOf, raisedAt } from './alert.ts';

export interface BacklogEntry {
  id: number;
  alert: Alert;
}

/** Returns whether a queue has a backlog. If so, newer alerts join it. */
export async function hasBacklog(db: Kysely<Database>, queue: string): Promise<boolean> {
  const row = await db
    .selectFrom('alert_backlog')
    .select('id')
    .where('queue', '=', queue)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Adds alerts to the backlog. An alert that is already there keeps its place. */
export async function addToBacklog(db: Kysely<Database>, alerts: readonly Alert[]): Promise<void> {
  const rows = alerts.map((alert) => ({
    hash: hashOf(alert),
    queue: alert.queue,
    raised_at: raisedAt(alert),
    alert: stringifyJson(alert),
  }));
  await db
    .insertInto('alert_backlog')
    .values(rows)
    .onConflict((conflict) => conflict.column('hash').doNothing())
    .execute();
}

/** Returns the oldest alert in the backlog of a queue, undefined if the backlog is empty. */
export async function oldestInBacklog(
  db: Kysely<Database>,
  queue: string,
): Promise<BacklogEntry | undefined> {
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

/** Removes an entry. @returns 1, or 0 if another process has removed it. */
export async function removeFromBacklog(db: Kysely<Database>, { id }: BacklogEntry): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('alert_backlog').where('id', '=', id).executeTakeFirst();
  return Number(numDeletedRows);
}
