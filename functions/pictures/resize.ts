/**
 * Triggered by the queue `resize-picture`: makes the variants of a picture, stores them and records them. Their keys follow from
 * the original's bytes and the settings, so that a second run writes the same objects and rows.
 */
import type { Kysely } from 'kysely';
import {
  type Log,
  lambda,
  log,
  type Message,
  onMessages,
  type PublisherLike,
  publisher,
  RejectedError,
} from 'warren/functions';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { pictureUploaded } from '../../shared/pictures/contracts.ts';
import { recordVariants } from '../../shared/pictures/image/records.ts';
import { resizePicture } from '../../shared/pictures/image/resize.ts';
import { variants } from '../../shared/pictures/image/resource.ts';
import { defaultVariants, type VariantSettings } from '../../shared/pictures/image/settings.ts';
import type { PictureMessage } from '../../shared/pictures/message.ts';
import { ensurePicture } from '../../shared/pictures/picture.ts';
import { removeVariants } from '../../shared/pictures/removal.ts';
import { markFailed, markResizing } from '../../shared/pictures/state.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'get' | 'put' | 'list' | 'remove'>;
  publisher: PublisherLike;
  settings?: VariantSettings;
  /** Time limit for each picture, default 90. */
  seconds?: number;
  log?: Log;
}

/** After this many deliveries that did not end, no later one may be left to record the failure. */
const manyDeliveries = 3;
const deadly = 'the picture ended the function that worked on it, again and again';
const exhausted = 'the picture could not be worked on, in several tries';

export function createHandler({ db, storage, settings = defaultVariants, seconds = 90, ...deps }: Deps) {
  const onDeadLetter = ({ body }: Message<PictureMessage>, error: unknown) =>
    markFailed(db, body, error instanceof RejectedError ? error.message : exhausted);
  const options = { contract: pictureUploaded, concurrency: 2, onDeadLetter, ...deps };
  return onMessages(options, async ({ body, headers }) => {
    await ensurePicture(db, body);
    const { image_id: id } = body;
    // An interrupted delivery, or a deletion meanwhile, may have left variants.
    if (!(await markResizing(db, id))) return removeVariants(storage, id);
    // Quorum queues count deliveries. Recorded before the work, because after a crash the broker dead-letters the message by itself.
    if (Number(headers['x-delivery-count'] ?? 0) >= manyDeliveries) await markFailed(db, body, deadly);
    const resized = await resizePicture(body, { storage, settings, seconds });
    if (!(await recordVariants(db, id, resized))) await removeVariants(storage, id);
  });
}

export const handler = lambda({ db: database, storage, publisher, settings: variants, log }, createHandler);
