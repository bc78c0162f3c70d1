import { type Kysely, sql } from 'kysely';
import { type Log, type PublisherLike, silentLog } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import { extensionOf, type PictureType } from './image/type.ts';
import { announce } from './outbox.ts';
import type { PictureMessage } from './picture.ts';

/** What is known of an upload before its bytes are in the bucket. */
export interface ExpectedUpload {
  userId: number;
  type: PictureType;
  bytes: number;
  /** Kept for it by an earlier try; default the next one. */
  pictureId?: number | undefined;
}

/**
 * Makes the row of a picture whose original is about to be stored: `awaiting`. Every object that an upload puts into the
 * bucket has had its row before, so that none is ever forgotten there. For an id that has its row, nothing changes.
 */
export async function expectUpload(db: Kysely<Database>, upload: ExpectedUpload): Promise<PictureMessage> {
  const { userId, type, bytes } = upload;
  const id = upload.pictureId ?? (await nextId(db));
  const image_path = `originals/${id}.${extensionOf(type)}`;
  await db
    .insertInto('pictures')
    .values({ id, user_id: userId, image_path, status: 'awaiting', content_type: type, bytes })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
  return { image_id: id, user_id: userId, image_path };
}

async function nextId(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ id: number }>`select nextval('picture_ids') as id`.execute(db);
  return (rows[0] as { id: number }).id;
}

/**
 * Takes it that the original is in the bucket: from here on the picture will be finished, whatever happens to us or to the
 * broker. It is announced at once where that is possible, else by `announce-pictures`. For a picture that is not awaited
 * (any more), nothing happens.
 *
 * @returns whether it was awaited.
 */
export async function finishUpload(
  parts: { db: Kysely<Database>; publisher: PublisherLike; log?: Log | undefined },
  picture: PictureMessage,
): Promise<boolean> {
  const { db, log = silentLog } = parts;
  const stored = await db
    .updateTable('pictures')
    .set({ status: 'uploaded', updated_at: sql<Date>`now()` })
    .where('id', '=', picture.image_id)
    .where('status', '=', 'awaiting')
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  if (stored.numUpdatedRows === 0n) return false;
  // No reason of the broker's is one for the user: the row says what is left to do.
  await announce(parts, picture).catch((err: unknown) => {
    log.warn({ pictureId: picture.image_id, err }, 'stored, and will be announced later');
  });
  return true;
}
