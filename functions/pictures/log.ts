/**
 * Triggered by the queue `log-upload`: keeps a row for each upload. The proof that a new task is only a new queue on the
 * fanout. The picture's id is the key, so that two deliveries of one message make one row.
 */
import type { Kysely } from 'kysely';
import { createPublisher, type PublisherLike } from '../../runtime/amqp/publisher.ts';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { onMessages } from '../../runtime/messages/on-messages.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import { ensurePicture, pictureMessage } from '../../shared/pictures/picture.ts';

export function createHandler(deps: { db: Kysely<Database>; publisher: PublisherLike; log?: Log }) {
  const { db } = deps;
  return onMessages({ schema: pictureMessage, ...deps }, async ({ body, messageId }) => {
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

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'database', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    publisher: createPublisher({ url: config.broker.AMQP_URL, name }),
    log: createLog(config.log),
  });
});
