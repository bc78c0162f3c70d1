/**
 * The row of a picture is its own outbox: `announced_at` says when the broker confirmed the message about it. Whoever
 * stores a picture announces it at once; what that missed, `announce-pictures` makes up for. The message id follows
 * from the picture, and each effect of the message is once, so that announcing it twice does no harm.
 */

import { type Kysely, sql } from 'kysely';
import type { PublisherLike } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import type { PictureMessage } from './picture.ts';

interface Parts {
  db: Kysely<Database>;
  publisher: PublisherLike;
}

/**
 * Tells the functions that work on pictures about a stored one, and writes down that it did.
 *
 * @throws as `PublisherLike.publish` does, and UnavailableError where the database is away.
 */
export async function announce({ db, publisher }: Parts, picture: PictureMessage): Promise<void> {
  const { image_id, user_id, image_path } = picture;
  await publisher.publish({
    exchange: 'upload-pictures',
    routingKey: '',
    messageId: `picture-${image_id}`,
    body: { image_id, user_id, image_path },
  });
  await db
    .updateTable('pictures')
    .set({ announced_at: sql<Date>`now()` })
    .where('id', '=', image_id)
    .where('announced_at', 'is', null)
    .execute();
}

/**
 * Takes pictures that were stored and never announced, oldest first, for long enough to announce them: nobody else is
 * given the same ones meanwhile.
 *
 * @param settings `olderThan` in seconds: who stored it has that long to announce it. `limit`: how many at most.
 */
export async function takeUnannounced(
  db: Kysely<Database>,
  { olderThan, limit }: { olderThan: number; limit: number },
): Promise<PictureMessage[]> {
  const waiting = db
    .selectFrom('pictures')
    .select('id')
    .where('announced_at', 'is', null)
    .where('status', '<>', 'awaiting')
    .where('deleted_at', 'is', null)
    .where('updated_at', '<=', sql<Date>`now() - ${olderThan} * interval '1 second'`)
    .where(({ eb, or }) =>
      or([eb('announcing_until', 'is', null), eb('announcing_until', '<=', sql<Date>`now()`)]),
    )
    .orderBy('created_at')
    .limit(limit)
    .forUpdate()
    .skipLocked();
  const taken = await db
    .updateTable('pictures')
    .set({ announcing_until: sql<Date>`now() + interval '30 seconds'` })
    .where('id', 'in', waiting)
    .returning(['id as image_id', 'user_id', 'image_path', 'created_at'])
    .execute();
  // An update returns its rows in no order.
  return taken.sort((one, other) => one.created_at.getTime() - other.created_at.getTime());
}
