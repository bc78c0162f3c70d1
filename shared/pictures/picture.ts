import type { Kysely } from 'kysely';
import { RejectedError } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import type { PictureMessage } from './message.ts';
import { markNotified, recordAnnounced } from './state.ts';

/**
 * Makes sure that the picture of a message has a row: any AMQP client may announce a picture.
 *
 * @returns `deleted` if its owner has deleted it: there is nothing left to do, even if it is announced again.
 * @throws RejectedError if the row names another user or another path: that message can never work.
 */
export async function ensurePicture(
  db: Kysely<Database>,
  message: PictureMessage,
): Promise<'there' | 'deleted'> {
  const { image_id } = message;
  await recordAnnounced(db, message);
  const row = await db
    .selectFrom('pictures')
    .select(['user_id', 'image_path', 'deleted_at'])
    .where('id', '=', image_id)
    .executeTakeFirstOrThrow();
  const differing = (['user_id', 'image_path'] as const).filter((field) => row[field] !== message[field]);
  if (differing.length > 0) {
    throw new RejectedError(`picture ${image_id} is known with another ${differing.join(' and ')}`);
  }
  return row.deleted_at ? 'deleted' : 'there';
}

/** As `ensurePicture`, for the function that notifies friends. Its start is recorded: how long mails take would show whether there are any. */
export async function ensureNotified(
  db: Kysely<Database>,
  message: PictureMessage,
): Promise<'there' | 'deleted'> {
  const state = await ensurePicture(db, message);
  if (state === 'there') await markNotified(db, message.image_id);
  return state;
}
