/**
 * The states of a picture, and every statement that writes the table `pictures`:
 *
 * `awaiting -> uploaded -> resizing -> ready | failed -> deleted`
 *
 * Each transition checks the state that it starts from in its own statement, so that two deliveries or two requests at the same
 * moment cannot both make it.
 */
import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';
import type { PictureMessage } from './message.ts';

type Db = Kysely<Database>;

const now = sql<Date>`now()`;

/** A row for an upload that has not begun: `awaiting`. For an id that has its row, nothing changes. */
export async function awaitUpload(
  db: Db,
  picture: PictureMessage & { content_type: string | null; bytes: number },
): Promise<void> {
  const { image_id: id, ...row } = picture;
  await db
    .insertInto('pictures')
    .values({ id, ...row, status: 'awaiting' })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}

/** A row for a picture that another program announced: `uploaded`. For an id that has its row, nothing changes. */
export async function recordAnnounced(db: Db, picture: PictureMessage): Promise<void> {
  const { image_id: id, user_id, image_path } = picture;
  await db
    .insertInto('pictures')
    .values({ id, user_id, image_path, announced_at: now })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}

/**
 * `awaiting -> uploaded`: the original is in the bucket, and the same transaction stores the message about it. Returns false if the
 * picture was not awaited (any more).
 */
export async function markUploaded(db: Db, id: number, content_type: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('pictures')
    .set({ status: 'uploaded', content_type, updated_at: now, announced_at: now })
    .where('id', '=', id)
    .where('status', '=', 'awaiting')
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/**
 * Marks pictures as announced that a function of the version before has stored and not announced within 10 seconds, oldest first. The
 * transaction stores the messages about them.
 */
export async function takeUnannounced(db: Db): Promise<PictureMessage[]> {
  const taken = await db
    .updateTable('pictures')
    .set({ announced_at: now })
    .where('announced_at', 'is', null)
    .where('status', '<>', 'awaiting')
    .where('deleted_at', 'is', null)
    .where('updated_at', '<=', sql<Date>`now() - interval '10 seconds'`)
    .returning(['id as image_id', 'user_id', 'image_path', 'created_at'])
    .execute();
  // An update returns its rows in no order.
  return taken.sort((one, other) => one.created_at.getTime() - other.created_at.getTime());
}

/**
 * `awaiting | uploaded -> resizing`; a picture that was resized before keeps its state.
 *
 * @returns false if its owner has deleted it.
 */
export async function markResizing(db: Db, id: number): Promise<boolean> {
  const row = await db
    .updateTable('pictures')
    .set({
      status: sql`case when status in ('awaiting', 'uploaded') then 'resizing' else status end`,
      updated_at: now,
    })
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** The fields of a picture that is ready. */
export interface ReadyPicture {
  content_type: string;
  bytes: number;
  width: number;
  height: number;
  thumbhash: string;
  color: string;
}

/** `resizing -> ready`. Locks the row until the transaction ends. Returns false if the picture was deleted. */
export async function markReady(db: Db, id: number, picture: ReadyPicture): Promise<boolean> {
  const row = await db
    .updateTable('pictures')
    .set({ ...picture, status: 'ready', reason: null, updated_at: now })
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * `-> failed`, with a reason for the owner. A picture that is ready stays so, because its variants are still there; a message
 * that names another owner or path than the row fails no picture.
 */
export async function markFailed(db: Db, picture: PictureMessage, reason: string): Promise<void> {
  await db
    .updateTable('pictures')
    .set({ status: 'failed', reason, updated_at: now })
    .where('id', '=', picture.image_id)
    .where('user_id', '=', picture.user_id)
    .where('image_path', '=', picture.image_path)
    .where('deleted_at', 'is', null)
    .where('status', '<>', 'ready')
    .execute();
}

/** `-> deleted`, by its owner, also a second time. Locks the row until the transaction ends. Undefined without such a picture. */
export async function markDeleted(db: Db, { pictureId, userId }: { pictureId: number; userId: number }) {
  return db
    .updateTable('pictures')
    .set({ deleted_at: sql<Date>`coalesce(deleted_at, now())`, updated_at: now })
    .where('id', '=', pictureId)
    .where('user_id', '=', userId)
    .returning(['id', 'image_path'])
    .executeTakeFirst();
}

/** `awaiting -> deleted`: an upload that was not completed within a day cannot be completed from here on. */
export async function expireUploads(db: Db): Promise<void> {
  await db
    .updateTable('pictures')
    .set({ deleted_at: now })
    .where('status', '=', 'awaiting')
    .where('announced_at', 'is', null)
    .where('deleted_at', 'is', null)
    .where('created_at', '<', sql<Date>`now() - interval '1 day'`)
    .execute();
}

/** A deleted picture has no object in the bucket any more. Its row stays, for messages that are still in flight. */
export async function markRemoved(db: Db, id: number): Promise<void> {
  await db.updateTable('pictures').set({ removed_at: now }).where('id', '=', id).execute();
}

/** Deletes the row of an upload that expired: no message was ever published about it. */
export async function dropExpired(db: Db, id: number): Promise<void> {
  await db
    .deleteFrom('pictures')
    .where('id', '=', id)
    .where('status', '=', 'awaiting')
    .where('deleted_at', 'is not', null)
    .execute();
}

/** Removes the descriptions from the rows of a user's deleted pictures. The rows stay, for messages that are still in flight. */
export async function clearForgotten(db: Db, userId: number): Promise<void> {
  await db
    .updateTable('pictures')
    .set({ reason: null, thumbhash: null, color: null, width: null, height: null, bytes: null })
    .where('user_id', '=', userId)
    .where('deleted_at', 'is not', null)
    .execute();
}
