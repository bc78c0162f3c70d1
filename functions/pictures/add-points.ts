/**
 * Triggered by the queue `add-points`: gives a user points for a picture, whatever becomes of the picture itself. The
 * ledger holds one entry for a picture and a reason, so that two deliveries of one message add once. For a picture that was
 * deleted meanwhile there are none.
 */

import { type Kysely, sql } from 'kysely';
import { type Log, lambda, log, onMessages, type PublisherLike, publisher } from 'warren/functions';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { pictureMessage } from '../../shared/pictures/message.ts';
import { ensurePicture } from '../../shared/pictures/picture.ts';

const entry = { reason: 'upload', points: 10 } as const;

export function createHandler(deps: { db: Kysely<Database>; publisher: PublisherLike; log?: Log }) {
  const { db } = deps;
  return onMessages({ schema: pictureMessage, ...deps }, async ({ body }) => {
    await ensurePicture(db, body);
    // Under a lock on the row: who deletes the picture takes back what was given before, and nothing is given after.
    const picture = db
      .selectFrom('pictures')
      .select(['user_id', 'id', sql.lit(entry.reason).as('reason'), sql.lit(entry.points).as('points')])
      .where('id', '=', body.image_id)
      .where('deleted_at', 'is', null)
      .forShare();
    await db
      .insertInto('points_entries')
      .columns(['user_id', 'picture_id', 'reason', 'points'])
      .expression(picture)
      .onConflict((conflict) => conflict.columns(['picture_id', 'reason']).doNothing())
      .execute();
  });
}

export const handler = lambda({ db: database, publisher, log }, createHandler);
