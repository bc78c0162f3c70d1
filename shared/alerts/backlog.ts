/**
 * The backlog stores alerts in the database while the channel of their audience is unavailable. Retry queues would not
 * preserve the order, because each of them releases a message when its delay is over, regardless of the others. An alert that
 * fails while others are delivered is passed by: it leaves the order, and has a time of its own for its next attempt.
 */

import { type Kysely, sql } from 'kysely';
import { stringifyJson } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import { type Alert, hashOf, raisedAt } from './alert.ts';

type Db = Kysely<Database>;

export interface BacklogEntry {
  id: number;
  alert: Alert;
  /** Number of failed attempts in the backlog. */
  failures: number;
  /** Seconds since it joined the backlog. */
  age: number;
}

/**
 * Returns whether newer alerts of a queue have to wait: it has a backlog, in which those that are passed by do not count, or its
 * channel has asked for a pause.
 */
export async function hasBacklog(db: Db, queue: string): Promise<boolean> {
  const { rows } = await sql<{ waits: boolean }>`select
    exists (select from alert_backlog where queue = ${queue} and retry_at is null)
    or exists (select from alert_pauses where queue = ${queue} and until > now()) as waits`.execute(db);
  return rows[0]?.waits ?? false;
}

/** Adds alerts to the backlog. An alert that is already there keeps its place. */
export async function addToBacklog(db: Db, alerts: readonly Alert[]): Promise<void> {
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

/** Returns the oldest alert that waits in the backlog of a queue, undefined if none does. */
export async function oldestInBacklog(db: Db, queue: string): Promise<BacklogEntry | undefined> {
  return first(waiting(db, queue).orderBy('raised_at').orderBy('id'));
}

/** Returns the waiting alert with the fewest failures, the oldest of these; undefined if there is none but `other`. */
export async function leastFailed(
  db: Db,
  queue: string,
  other: BacklogEntry,
): Promise<BacklogEntry | undefined> {
  return first(
    waiting(db, queue).where('id', '!=', other.id).orderBy('failures').orderBy('raised_at').orderBy('id'),
  );
}

/** Returns an alert that was passed by and whose next attempt is due. */
export async function dueInBacklog(db: Db, queue: string): Promise<BacklogEntry | undefined> {
  return first(
    entries(db, queue).where('retry_at', '<=', sql<Date>`now()`).orderBy('retry_at').orderBy('id'),
  );
}

/** Returns the alert that joined the backlog first, if that was at least `age` seconds ago. */
export async function oldInBacklog(db: Db, queue: string, age: number): Promise<BacklogEntry | undefined> {
  const limit = sql<Date>`now() - ${age} * interval '1 second'`;
  return first(entries(db, queue).where('joined_at', '<=', limit).orderBy('joined_at').orderBy('id'));
}

/**
 * Records a failed attempt.
 *
 * @param seconds time until the next attempt of an alert that is passed by; undefined if it keeps its place.
 */
export async function recordFailure(db: Db, { id }: BacklogEntry, seconds?: number): Promise<void> {
  await db
    .updateTable('alert_backlog')
    .set({ failures: sql<number>`failures + 1` })
    .$if(seconds !== undefined, (update) =>
      update.set({ retry_at: sql<Date>`now() + ${seconds} * interval '1 second'` }),
    )
    .where('id', '=', id)
    .execute();
}

/** Removes an entry. @returns 1, or 0 if another process has removed it. */
export async function removeFromBacklog(db: Db, { id }: BacklogEntry): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('alert_backlog').where('id', '=', id).executeTakeFirst();
  return Number(numDeletedRows);
}

const entries = (db: Db, queue: string) =>
  db
    .selectFrom('alert_backlog')
    .select(['id', 'alert', 'failures'])
    .select(sql<number>`extract(epoch from now() - joined_at)::float8`.as('age'))
    .where('queue', '=', queue)
    .limit(1);

const waiting = (db: Db, queue: string) => entries(db, queue).where('retry_at', 'is', null);

async function first(query: ReturnType<typeof entries>): Promise<BacklogEntry | undefined> {
  const row = await query.executeTakeFirst();
  return row && { ...row, alert: row.alert as Alert };
}
