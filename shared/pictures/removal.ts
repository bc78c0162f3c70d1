import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';
import type { Storage } from '../storage/storage.ts';
import { markDeleted } from './state.ts';

/** Reason of the ledger entry that takes back the points for a picture. */
const deletedReason = 'picture deleted';

/**
 * Deletes a picture of a user: it is not shown any more, and its points are taken back once. Its row stays, so that a message in
 * flight finds it deleted; `removeObjects` removes its objects.
 *
 * @returns the picture, also if it was deleted before; undefined if the user has none with this id.
 */
export async function deletePicture(
  db: Kysely<Database>,
  { pictureId, userId }: { pictureId: number; userId: number },
): Promise<{ id: number; image_path: string } | undefined> {
  return db.transaction().execute(async (transaction) => {
    const picture = await markDeleted(transaction, { pictureId, userId });
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
 * Removes the objects of a deleted picture from the bucket: its variants, known to the database or not, and its original, unless
 * another picture has the same original, as pictures of foreign publishers may.
 *
 * @throws UnavailableError if the storage or the database is unavailable; another call continues.
 */
export async function removeObjects(
  { db, storage }: { db: Kysely<Database>; storage: Pick<Storage, 'list' | 'remove'> },
  { id, image_path }: { id: number; image_path: string },
): Promise<void> {
  await removeVariants(storage, id);
  const other = await db
    .selectFrom('pictures')
    .select('id')
    .where('image_path', '=', image_path)
    .where('id', '<>', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  if (!other) await storage.remove(image_path);
}

/** Removes the variants of a picture from the bucket, known to the database or not. Throws as `removeObjects` does. */
export async function removeVariants(storage: Pick<Storage, 'list' | 'remove'>, id: number): Promise<void> {
  const keys = await storage.list(`pictures/${id}/`);
  await Promise.all(keys.map((key) => storage.remove(key)));
}
