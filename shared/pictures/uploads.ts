import { type Kysely, sql } from 'kysely';
import type { Log, PublisherLike } from 'warren/functions';
import { effectsOn } from '../database/effects.ts';
import type { Database } from '../database/schema.ts';
import { announcement } from './contracts.ts';
import { extensionOf, type PictureType } from './image/type.ts';
import type { PictureMessage } from './message.ts';
import { awaitUpload, markUploaded } from './state.ts';

/** An upload before its bytes are in the bucket. */
export interface ExpectedUpload {
  userId: number;
  /** Undefined if the client does not know it. */
  type: PictureType | undefined;
  bytes: number;
  /** Reserved by an earlier try; default the next id. */
  pictureId?: number | undefined;
}

/**
 * Makes the row of a picture before its original is stored. Each object that an upload puts into the bucket has a row first, so
 * that the clean-up finds every object.
 */
export async function expectUpload(db: Kysely<Database>, upload: ExpectedUpload): Promise<PictureMessage> {
  const { userId, type, bytes } = upload;
  const image_id = upload.pictureId ?? (await nextId(db));
  const extension = type === undefined ? '' : `.${extensionOf(type)}`;
  const picture = { image_id, user_id: userId, image_path: `originals/${image_id}${extension}` };
  await awaitUpload(db, { ...picture, content_type: type ?? null, bytes });
  return picture;
}

async function nextId(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ id: number }>`select nextval('picture_ids') as id`.execute(db);
  return (rows[0] as { id: number }).id;
}

/**
 * Records that the original is in the bucket, and stores the message about it in the same transaction. From here on the picture will
 * be finished, whatever happens to this process or to the broker: the message is published now if possible, else by
 * `announce-pictures`. For a picture that is not awaited, nothing happens.
 *
 * @param type the type of the original by its content; the announced one may differ.
 * @returns whether it was awaited.
 */
export async function finishUpload(
  parts: { db: Kysely<Database>; publisher: PublisherLike; log?: Log | undefined },
  picture: PictureMessage,
  type: PictureType,
): Promise<boolean> {
  return effectsOn(parts.db, parts).transaction(async ({ db, publish }) => {
    const awaited = await markUploaded(db, picture.image_id, type);
    if (awaited) publish(announcement(picture));
    return awaited;
  });
}
