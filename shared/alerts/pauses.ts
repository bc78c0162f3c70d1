/**
 * A channel that answers with `Retry-After` has a pause: until its end, alerts of its queue wait in the backlog. The pause is in
 * the database, so that it holds for all instances.
 */

import { type Kysely, sql } from 'kysely';
import { RetryLaterError, UnavailableError } from 'warren/functions';
import type { Database } from '../database/schema.ts';

type Db = Kysely<Database>;

/** The last pause of a channel. */
export interface Pause {
  /** Whether it is not over yet. */
  active: boolean;
  /** Id of the alert in the backlog that was answered, and how often in a row. */
  alertId: number | null;
  times: number;
}

/** Returns the seconds that an unavailable channel has asked for; undefined if it has asked for none. */
export function askedPause(error: unknown): number | undefined {
  return error instanceof UnavailableError && error.cause instanceof RetryLaterError
    ? error.cause.seconds
    : undefined;
}

export async function readPause(db: Db, queue: string): Promise<Pause | undefined> {
  return db
    .selectFrom('alert_pauses')
    .select(['alert_id as alertId', 'times'])
    .select(sql<boolean>`until > now()`.as('active'))
    .where('queue', '=', queue)
    .executeTakeFirst();
}

/** @param alert the one that was answered; without an id if it is not in the backlog. */
export async function pauseChannel(
  db: Db,
  { queue, id = null }: { queue: string; id?: number | null },
  seconds: number,
): Promise<void> {
  const until = sql<Date>`now() + ${seconds} * interval '1 second'`;
  await db
    .insertInto('alert_pauses')
    .values({ queue, until, alert_id: id })
    .onConflict((conflict) =>
      conflict.column('queue').doUpdateSet({
        until: sql<Date>`greatest(alert_pauses.until, excluded.until)`,
        alert_id: sql<number | null>`excluded.alert_id`,
        times: sql<number>`case when alert_pauses.alert_id = excluded.alert_id then alert_pauses.times + 1 else 1 end`,
      }),
    )
    .execute();
}
