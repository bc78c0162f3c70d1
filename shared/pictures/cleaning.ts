/** The end of pictures: uploads that expire, and rows whose objects are removed. */
import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';

/** A deleted picture whose objects may still be in the bucket. */
export interface Leftover {
  id: number;
  image_path: string;
  status: string;
}

/** `awaiting -> deleted`: an upload that was not completed within a day cannot be completed from here on. */
export async function expireUploads(db: Kysely<Database>): Promise<void> {
  await db
    .updateTable('pictures')
    .set({ deleted_at: sql<Date>`now()` })
    .where('status', '=', 'awaiting')
    .where('announced_at', 'is', null)
    .where('deleted_at', 'is', null)
    .where('created_at', '<', sql<Date>`now() - interval '1 day'`)
    .execute();
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
  if (status === 'awaiting') {
    await db.deleteFrom('pictures').where('id', '=', id).execute();
    return;
  }
  await db.deleteFrom('variants').where('picture_id', '=', id).execute();
  await db.updateTable('pictures').set({ removed_at: sql<Date>`now()` }).where('id', '=', id).execute();
}
