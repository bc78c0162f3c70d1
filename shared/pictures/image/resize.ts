import { createHash } from 'node:crypto';
import { RejectedError } from 'warren/functions';
import type { Storage } from '../../storage/storage.ts';
import { maxOriginalBytes } from '../originals.ts';
import { inspect } from './inspect.ts';
import type { ResizedPicture } from './records.ts';
import type { VariantSettings } from './settings.ts';
import { makeVariants, variantMark } from './variants.ts';

const extensions = { webp: 'webp', jpeg: 'jpg', avif: 'avif' } as const;
/** The object of a key never changes. */
const immutable = { cacheControl: 'public, max-age=31536000, immutable' };

export interface ResizeOptions {
  storage: Pick<Storage, 'get' | 'put'>;
  settings: VariantSettings;
  /** Time limit for the picture. */
  seconds: number;
}

/**
 * Makes the variants of a picture and stores them. Their keys follow from the original's bytes and the settings, so that a second
 * run writes the same objects.
 *
 * @throws RejectedError if the original is not in the bucket, or cannot be decoded; UnavailableError if the storage is
 *   unavailable.
 */
export async function resizePicture(
  { image_id, image_path }: { image_id: number; image_path: string },
  { storage, settings, seconds }: ResizeOptions,
): Promise<ResizedPicture> {
  const original = await storage.get(image_path, maxOriginalBytes);
  if (!original) throw new RejectedError(`image_path: "${image_path}" is not in the bucket`);
  const info = await inspect(original.body);
  const hash = createHash('sha256').update(original.body);
  const variants: ResizedPicture['variants'] = [];
  const placeholder = await makeVariants(
    original.body,
    info,
    async ({ body, ...variant }) => {
      const { format, width } = variant;
      const mark = hash.copy().update(variantMark(variant, settings)).digest('hex').slice(0, 32);
      const key = `pictures/${image_id}/${mark}-${width}.${extensions[format]}`;
      await storage.put(key, body, `image/${format}`, immutable);
      variants.push({ ...variant, key, bytes: body.length });
    },
    { settings, seconds },
  );
  return { info, bytes: original.body.length, placeholder, variants };
}
