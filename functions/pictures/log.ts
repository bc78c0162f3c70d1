/**
 * Triggered by the queue `log-upload`: keeps a row for each upload. The proof that a new task is only a new queue on the
 * fanout. The picture's id is the key, so that two deliveries of one message make one row.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log, onMessages, type PublisherLike, publisher } from 'warren/functions';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { pictureUploaded } from '../../shared/pictures/contracts.ts';
import { ensurePicture } from '../../shared/pictures/picture.ts';

export function createHandler(deps: { db: Kysely<Database>; publisher: PublisherLike; log?: Log }) {
  const { db } = deps;
  return onMessages({ contract: pictureUploaded, ...deps }, async ({ body, messageId }) => {
    if ((await ensurePicture(db, body)) === 'deleted') return;
    await db
      .insertInto('upload_log')
      .values({
        picture_id: body.image_id,
        user_id: body.user_id,
        image_path: body.image_path,
        message_id: messageId ?? null,
      })
      .onConflict((conflict) => conflict.column('picture_id').doNothing())
      .execute();
  });
}

export const handler = lambda({ db: database, publisher, log }, createHandler);
