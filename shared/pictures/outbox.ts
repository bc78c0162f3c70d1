/**
 * The row of a picture is its own outbox: `announced_at` is the time at which the broker confirmed the message about it. The
 * function that stores a picture announces it at once; `announce-pictures` announces the ones that this missed. The message id
 * follows from the picture, and each effect of the message happens once, so that a second message does no harm.
 */
import type { Kysely } from 'kysely';
import type { PublisherLike } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import type { PictureMessage } from './message.ts';
import { markAnnounced } from './state.ts';

interface Parts {
  db: Kysely<Database>;
  publisher: PublisherLike;
}

/**
 * Publishes the message about a stored picture, and records that it did.
 *
 * @throws as `PublisherLike.publish` does, and UnavailableError if the database is unavailable.
 */
export async function announce({ db, publisher }: Parts, picture: PictureMessage): Promise<void> {
  const { image_id, user_id, image_path } = picture;
  await publisher.publish({
    exchange: 'upload-pictures',
    routingKey: '',
    messageId: `picture-${image_id}`,
    body: { image_id, user_id, image_path },
  });
  await markAnnounced(db, image_id);
}
