import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';

/**
 * Query for the ids of pictures that are stored and not announced, oldest first. It locks their rows, and skips those that
 * another transaction has locked.
 *
 * @param which `olderThan` in seconds since the last change of the row; `limit` is the number of pictures.
 */
export function unannounced(
  db: Kysely<Database>,
  { olderThan, limit }: { olderThan: number; limit: number },
) {
  return db
    .selectFrom('pictures')
    .select('id')
    .where('announced_at', 'is', null)
    .where('status', '<>', 'awaiting')
    .where('deleted_at', 'is', null)
    .where('updated_at', '<=', sql<Date>`now() - ${olderThan} * interval '1 second'`)
    .where(({ eb, or }) =>
      or([eb('announcing_until', 'is', null), eb('announcing_until', '<=', sql<Date>`now()`)]),
    )
    .orderBy('created_at')
    .limit(limit)
    .forUpdate()
    .skipLocked();
}
