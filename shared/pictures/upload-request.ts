import { Problem } from 'warren/http';
import { z } from 'zod';
import { acceptedTypes, isPictureType, type PictureType } from './image/type.ts';

/** The body of `POST /uploads`. */
export const uploadRequest = z.object({
  content_type: z.string({ error: 'expected a media type such as "image/jpeg"' }),
  bytes: z
    .number({ error: 'expected the size of the file in bytes' })
    .int('expected a whole number')
    .min(1, 'expected at least 1'),
});

/**
 * Checks the announcement of an upload.
 *
 * @param maxBytes limit for the object.
 * @throws Problem 415 for a type that is not accepted, 413 above the limit.
 */
export function checkUpload(
  { content_type: type, bytes }: z.output<typeof uploadRequest>,
  maxBytes: number,
): { type: PictureType; bytes: number } {
  if (!isPictureType(type)) {
    throw new Problem(415, 'Unsupported media type', `content_type: expected ${acceptedTypes}`);
  }
  if (bytes > maxBytes)
    throw new Problem(413, 'Too large', `bytes: expected at most ${maxBytes}, got ${bytes}`);
  return { type, bytes };
}
