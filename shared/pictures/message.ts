import * as z from 'zod';
import { id } from '../database/id.ts';

/** The key of an original in the bucket. */
export const imagePath = z
  .string({ error: 'expected the key of the original in the bucket' })
  .min(1)
  .max(1024)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the check is about these characters.
  .regex(/^[^\u0000-\u001f\u007f]+$/, { error: 'expected a key without control characters' });

/** The body of messages on the exchange `upload-pictures`. */
export const pictureMessage = z.object({ image_id: id, user_id: id, image_path: imagePath });

export type PictureMessage = z.output<typeof pictureMessage>;
