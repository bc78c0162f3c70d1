import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';
import type { Storage } from '../storage/storage.ts';

/** What stands in the ledger when the points for a picture are taken back. */
const deletedReason = 'picture deleted';

/**
 * Deletes a picture of a user: it can't be seen from here on, and its points are taken back, once. Its row stays, so that
 * a message still under way finds it deleted; its objects are for `removeObjects`.
 *
 * @returns the picture, also where it was deleted before; undefined where the user has none of this id.
 */
export async function deletePicture(
  db: Kysely<Database>,
  { pictureId, userId }: { pictureId: number; userId: number },
): Promise<{ id: number; image_path: string } | undefined> {
  return db.transaction().execute(async (transaction) => {
    const own = transaction
      .updateTable('pictures')
      .set({ deleted_at: sql<Date>`coalesce(deleted_at, now())`, updated_at: sql<Date>`now()` })
      .where('id', '=', pictureId)
      .where('user_id', '=', userId);
    const picture = await own.returning(['id', 'image_path']).executeTakeFirst();
    if (!picture) return undefined;
    // Points are given under a lock on this row (add-points): either they are here by now, or never will be.
    const given = transaction
      .selectFrom('points_entries')
      .select(['user_id', 'picture_id', sql.lit(deletedReason).as('reason')])
      .select(sql<number>`-sum(points)`.as('points'))
      .where('picture_id', '=', pictureId)
      .groupBy(['user_id', 'picture_id'])
      .having(sql<boolean>`sum(points) <> 0`);
    await transaction
      .insertInto('points_entries')
      .columns(['user_id', 'picture_id', 'reason', 'points'])
      .expression(given)
      .onConflict((conflict) => conflict.columns(['picture_id', 'reason']).doNothing())
      .execute();
    return picture;
  });
}

/**
 * Removes what the bucket holds of a deleted picture: its renditions, known to the database or not, and its original,
 * unless that is another picture's too, which foreign publishers may have made so.
 *
 * @throws UnavailableError where the storage or the database is away; doing it again goes on.
 */
export async function removeObjects(
  { db, storage }: { db: Kysely<Database>; storage: Pick<Storage, 'list' | 'remove'> },
  { id, image_path }: { id: number; image_path: string },
): Promise<void> {
  const renditions = await storage.list(`pictures/${id}/`);
  await Promise.all(renditions.map((key) => storage.remove(key)));
  const other = await db
    .selectFrom('pictures')
    .select('id')
    .where('image_path', '=', image_path)
    .where('id', '<>', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  if (!other) await storage.remove(image_path);
}
