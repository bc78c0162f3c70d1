/**
 * Limits how often a user may do something, over all instances of all functions: a row for each user and action, by the
 * generic cell rate algorithm (GCRA; ITU-T I.371). The row has the time at which no part of the limit is used any more.
 * Each request adds its share to that time; a request that would move it further ahead than the period is refused.
 */

import { createHash } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { type Log, silentLog, withDeadline } from 'warren/functions';
import { Problem } from 'warren/http';
import type { Caller } from '../auth/caller.ts';
import { identityOf } from '../auth/identity.ts';
import type { Database } from '../database/schema.ts';
import { createLocalRate } from './local-rate.ts';
import type { Rate } from './rate.ts';

/**
 * Counts a request of a caller.
 *
 * @throws Problem 429 with Retry-After, in seconds, if the caller has made too many.
 */
export type RateLimit = (caller: Pick<Caller, 'key'>) => Promise<void>;

export interface RateLimitOptions {
  db: Kysely<Database>;
  /** The name under which requests are counted together, such as "uploads". */
  action: string;
  /** Undefined for no limit. */
  rate: Rate | undefined;
  /** Time limit for counting in the database, in milliseconds, default 1000. */
  waitMs?: number;
  /** Milliseconds without queries after one has failed, default 10000, so that not every request waits for the database. */
  pauseMs?: number;
  log?: Log;
}

/**
 * Makes a limit. It never fails a request by itself: while the database is unavailable or late, each instance counts for itself
 * and logs that. A request that the instance knows to be too much is refused without a query, because a flood would block the
 * database otherwise.
 */
export function createRateLimit(options: RateLimitOptions): RateLimit {
  const { db, action, rate, waitMs = 1000, pauseMs = 10_000, log = silentLog } = options;
  if (rate === undefined) return async () => undefined;
  const local = createLocalRate(rate);
  const late = () => new Error(`the database did not answer within ${waitMs} ms`);
  let pausedUntil = 0;
  const countAll = async (id: number): Promise<number | undefined> => {
    if (performance.now() < pausedUntil) return undefined;
    try {
      const wait = await withDeadline(count(db, { action, rate, userId: id }), { ms: waitMs, late });
      if (wait !== undefined) local.refuse(id, wait);
      return wait;
    } catch (error) {
      // Concurrent requests fail for the same reason, and are not logged again.
      if (performance.now() >= pausedUntil) {
        log.warn({ action, err: error }, 'rate limit: each instance counts for itself for now');
      }
      pausedUntil = performance.now() + pauseMs;
      return undefined;
    }
  };
  return async ({ key }) => {
    const id = countedId(key);
    const wait = local.take(id) ?? (await countAll(id));
    if (wait === undefined) return;
    const seconds = Math.max(1, Math.ceil(wait));
    const detail = `${action}: expected at most ${rate.count} in ${rate.seconds} s; try again in ${seconds} s`;
    throw new Problem(429, 'Too many requests', detail, { 'retry-after': String(seconds) });
  };
}

/**
 * The number under which a caller's requests are counted: the id of a user of our own tokens. Any other caller has a negative hash,
 * because a function may count without the database that has the caller's user.
 */
export function countedId(key: string): number {
  if (identityOf(key) === undefined) return Number(key);
  return -createHash('sha256').update(key).digest().readUIntBE(0, 6) - 1;
}

interface Use {
  action: string;
  rate: Rate;
  userId: number;
}

/** @returns the seconds to wait, undefined if there is room. */
async function count(db: Kysely<Database>, { action, rate, userId }: Use): Promise<number | undefined> {
  const seconds = rate.seconds / rate.count;
  const share = sql`${seconds} * interval '1 second'`;
  const next = sql<Date>`greatest(rate_limits.used_until, now()) + ${share}`;
  // Slightly more, because shares are rounded to microseconds.
  const limit = sql<Date>`now() + ${rate.seconds + seconds / 100} * interval '1 second'`;
  // One statement reads and changes the row, so that it is locked in between.
  const counted = await db
    .insertInto('rate_limits')
    .values({ action, user_id: userId, used_until: sql<Date>`now() + ${share}` })
    .onConflict((conflict) =>
      conflict.columns(['action', 'user_id']).doUpdateSet({ used_until: next }).where(next, '<=', limit),
    )
    .returning('user_id')
    .executeTakeFirst();
  if (counted) return undefined;
  const row = await db
    .selectFrom('rate_limits')
    .select(sql<number>`extract(epoch from ${next} - (${limit}))::float8`.as('wait'))
    .where('action', '=', action)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return row?.wait ?? 1;
}

/** Deletes rows of limits without a used part. */
export async function deleteUnused(db: Kysely<Database>): Promise<void> {
  await db.deleteFrom('rate_limits').where('used_until', '<', sql<Date>`now()`).execute();
}
