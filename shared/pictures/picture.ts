import { type Kysely, sql } from 'kysely';
import { RejectedError } from 'warren/functions';
import { z } from 'zod';
import { id } from '../database/id.ts';
import type { Database } from '../database/schema.ts';

/** The key of an original in the bucket. */
export const imagePath = z
  .string({ error: 'expected the key of the original in the bucket' })
  .min(1)
  .max(1024)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is they that have no business in a key.
  .regex(/^[^\u0000-\u001f\u007f]+$/, { error: 'expected a key without control characters' });

/** What the exchange `upload-pictures` carries. */
export const pictureMessage = z.object({ image_id: id, user_id: id, image_path: imagePath });

export type PictureMessage = z.output<typeof pictureMessage>;

/**
 * Makes sure that the picture a message is about has a row: any AMQP client may announce one. A row that is made here
 * counts as announced, for it was.
 *
 * @returns `deleted` where its owner has deleted it since: there is nothing left to do for it, nor will there be if
 *   somebody announces it anew.
 * @throws RejectedError where the row names another user or another path; that message is wrong for ever.
 */
export async function ensurePicture(
  db: Kysely<Database>,
  message: PictureMessage,
): Promise<'there' | 'deleted'> {
  const { image_id, user_id, image_path } = message;
  await db
    .insertInto('pictures')
    .values({ id: image_id, user_id, image_path, announced_at: sql<Date>`now()` })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
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
