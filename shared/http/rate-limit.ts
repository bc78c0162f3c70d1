/**
 * Limits how often a user may do something, over all instances of all functions: a row for each user and action, by the
 * generic cell rate algorithm (GCRA; ITU-T I.371). The row holds the time at which nothing of the limit is used any more;
 * each request moves it on by its share, and one that would move it further ahead than the period is refused.
 */

import { type Kysely, sql } from 'kysely';
import { type Log, silentLog } from 'warren/functions';
import { Problem } from 'warren/http';
import type { User } from '../auth/tokens.ts';
import type { Database } from '../database/schema.ts';
import { createLocalRate } from './local-rate.ts';
import type { Rate } from './rate.ts';

/**
 * Counts a request of a user.
 *
 * @throws Problem 429 with Retry-After, in seconds, if the user has made too many.
 */
export type RateLimit = (user: User) => Promise<void>;

export interface RateLimitOptions {
  db: Kysely<Database>;
  /** The name under which requests are counted together, such as "uploads". */
  action: string;
  /** Undefined for no limit. */
  rate: Rate | undefined;
  /** Milliseconds that counting may take, default 1000. */
  waitMs?: number;
  /** Milliseconds for which the database is not asked after that has failed, default 10000: no request waits for it again. */
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
  let pausedUntil = 0;
  const countAll = async ({ id }: User): Promise<number | undefined> => {
    if (performance.now() < pausedUntil) return undefined;
    try {
      const wait = await within(waitMs, count(db, { action, rate, userId: id }));
      if (wait !== undefined) local.refuse(id, wait);
      return wait;
    } catch (error) {
      // Those that waited along fail for the same reason.
      if (performance.now() >= pausedUntil) {
        log.warn({ action, err: error }, 'rate limit: each instance counts for itself for now');
      }
      pausedUntil = performance.now() + pauseMs;
      return undefined;
    }
  };
  return async (user) => {
    const wait = local.take(user.id) ?? (await countAll(user));
    if (wait === undefined) return;
    const seconds = Math.max(1, Math.ceil(wait));
    const detail = `${action}: expected at most ${rate.count} in ${rate.seconds} s; try again in ${seconds} s`;
    throw new Problem(429, 'Too many requests', detail, { 'retry-after': String(seconds) });
  };
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
  // A little more, since shares are rounded to microseconds.
  const most = sql<Date>`now() + ${rate.seconds + seconds / 100} * interval '1 second'`;
  // One statement: the row is locked from the look at it to the change.
  const counted = await db
    .insertInto('rate_limits')
    .values({ action, user_id: userId, used_until: sql<Date>`now() + ${share}` })
    .onConflict((conflict) =>
      conflict.columns(['action', 'user_id']).doUpdateSet({ used_until: next }).where(next, '<=', most),
    )
    .returning('user_id')
    .executeTakeFirst();
  if (counted) return undefined;
  const row = await db
    .selectFrom('rate_limits')
    .select(sql<number>`extract(epoch from ${next} - (${most}))::float8`.as('wait'))
    .where('action', '=', action)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return row?.wait ?? 1;
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the database did not answer within ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Deletes the rows of users who have used nothing of their limits any more. */
export async function deleteUnused(db: Kysely<Database>): Promise<void> {
  await db.deleteFrom('rate_limits').where('used_until', '<', sql<Date>`now()`).execute();
}
