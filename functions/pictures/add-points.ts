/**
 * Triggered by the queue `add-points`: gives a user points for a picture, also if resizing the picture fails. The ledger has
 * one entry for a picture and a reason, so that two deliveries of one message add once. A deleted picture gets none.
 */
import type { Kysely } from 'kysely';
import { type Log, lambda, log, onMessages, type PublisherLike, publisher } from 'warren/functions';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { pictureUploaded } from '../../shared/pictures/contracts.ts';
import { ensurePicture } from '../../shared/pictures/picture.ts';
import { givePoints } from '../../shared/pictures/points.ts';

export function createHandler(deps: { db: Kysely<Database>; publisher: PublisherLike; log?: Log }) {
  const { db } = deps;
  return onMessages({ contract: pictureUploaded, ...deps }, async ({ body }) => {
    await ensurePicture(db, body);
    await givePoints(db, body.image_id);
  });
}

export const handler = lambda({ db: database, publisher, log }, createHandler);
