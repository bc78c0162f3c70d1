/**
 * Triggered by the queue `resize-picture`: makes the renditions of a picture, stores them and writes them down. Their
 * keys follow from the original's bytes and the settings, so that doing it again writes the same objects and rows.
 */

import { createHash } from 'node:crypto';
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
import { inspect } from '../../shared/pictures/image/inspect.ts';
import { type Made, writeDown, writeFailure, writeStart } from '../../shared/pictures/image/records.ts';
import { variants } from '../../shared/pictures/image/resource.ts';
import { defaultVariants, type VariantSettings } from '../../shared/pictures/image/settings.ts';
import { makeVariants, variantMark } from '../../shared/pictures/image/variants.ts';
import { mostOriginalBytes } from '../../shared/pictures/originals.ts';
import { ensurePicture, type PictureMessage, pictureMessage } from '../../shared/pictures/picture.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'get' | 'put' | 'list' | 'remove'>;
  publisher: PublisherLike;
  settings?: VariantSettings;
  /** For each picture, default 90. */
  seconds?: number;
  log?: Log;
}

const extensions = { webp: 'webp', jpeg: 'jpg', avif: 'avif' } as const;
/** What is under a key never changes. */
const forEver = { cacheControl: 'public, max-age=31536000, immutable' };
/** After so many deliveries that came to no end, nobody may be left to write down that this one did not either. */
const manyDeliveries = 3;
const deadly = 'the picture ended the function that worked on it, again and again';
const exhausted = 'the picture could not be worked on, in several tries';

export function createHandler({ db, storage, settings = defaultVariants, seconds = 90, ...deps }: Deps) {
  const make = async ({ image_id, image_path }: PictureMessage): Promise<Made> => {
    const original = await storage.get(image_path, mostOriginalBytes);
    if (!original) throw new RejectedError(`image_path: "${image_path}" is not in the bucket`);
    const info = await inspect(original.body);
    const hash = createHash('sha256').update(original.body);
    const variants: Made['variants'] = [];
    const placeholder = await makeVariants(
      original.body,
      info,
      async ({ body, ...variant }) => {
        const { format, width } = variant;
        const mark = hash.copy().update(variantMark(variant, settings)).digest('hex').slice(0, 32);
        const key = `pictures/${image_id}/${mark}-${width}.${extensions[format]}`;
        await storage.put(key, body, `image/${format}`, forEver);
        variants.push({ ...variant, key, bytes: body.length });
      },
      { settings, seconds },
    );
    return { info, bytes: original.body.length, placeholder, variants };
  };

  const removeAll = async (id: number): Promise<void> => {
    for (const key of await storage.list(`pictures/${id}/`)) await storage.remove(key);
  };

  const onDeadLetter = ({ body }: Message<PictureMessage>, error: unknown) =>
    writeFailure(db, body, error instanceof RejectedError ? error.message : exhausted);

  const options = { schema: pictureMessage, concurrency: 2, onDeadLetter, ...deps };
  return onMessages(options, async ({ body, headers }) => {
    await ensurePicture(db, body);
    // A delivery that was cut short, or a deletion meanwhile, may have left some.
    if (!(await writeStart(db, body.image_id))) return removeAll(body.image_id);
    // Of quorum queues, and before the work: where it ends the process, the broker gives up the message on its own.
    if (Number(headers['x-delivery-count'] ?? 0) >= manyDeliveries) {
      await writeFailure(db, body, deadly);
    }
    if (!(await writeDown(db, body.image_id, await make(body)))) await removeAll(body.image_id);
  });
}

export const handler = lambda({ db: database, storage, publisher, settings: variants, log }, createHandler);
