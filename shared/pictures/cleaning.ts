/** Deleted pictures whose objects have to be removed from the bucket. */
import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';
import { dropExpired, markRemoved } from './state.ts';

/** A deleted picture whose objects may still be in the bucket. */
export interface Leftover {
  id: number;
  image_path: string;
  status: string;
}

/**
 * Deleted pictures for which no object can come into the bucket any more: a signed address is valid for an hour, and a function
 * that writes variants takes minutes.
 *
 * @param after the id to continue after.
 */
export async function findLeftovers(
  db: Kysely<Database>,
  { after, limit }: { after: number; limit: number },
): Promise<Leftover[]> {
  return db
    .selectFrom('pictures')
    .select(['id', 'image_path', 'status'])
    .where('deleted_at', 'is not', null)
    .where('removed_at', 'is', null)
    .where('id', '>', after)
    .where(({ eb, and, or }) =>
      or([
        eb('deleted_at', '<', sql<Date>`now() - interval '2 hours'`),
        and([eb('status', '=', 'awaiting'), eb('created_at', '<', sql<Date>`now() - interval '1 day'`)]),
      ]),
    )
    .orderBy('id')
    .limit(limit)
    .execute();
}

/**
 * Records that the bucket holds no object of a deleted picture. No message was ever published about an upload that was not
 * completed, so that its row is removed; any other row stays, for messages that are still in flight.
 */
export async function forgetObjects(db: Kysely<Database>, { id, status }: Leftover): Promise<void> {
  if (status === 'awaiting') return dropExpired(db, id);
  await db.deleteFrom('variants').where('picture_id', '=', id).execute();
  await markRemoved(db, id);
}
