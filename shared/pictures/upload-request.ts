import { type HttpEvent, Problem, readJson } from 'warren/http';
import * as z from 'zod';
import { acceptedTypes, namedType, type PictureType } from './image/type.ts';

const request = z.object({
  content_type: z.string({ error: 'expected a media type such as "image/jpeg"' }),
  bytes: z
    .number({ error: 'expected the size of the file in bytes' })
    .int('expected a whole number')
    .min(1, 'expected at least 1'),
});

/** What a client that does not know the type sends: browsers an empty one for an unknown extension, phones `image/*`. */
const unknownType = /^\s*(((application|binary)\/octet-stream|image\/\*|\*\/\*)\s*(;.*)?)?$/i;

/** An announced upload. Without a type, the content decides alone. */
export interface AnnouncedUpload {
  type: PictureType | undefined;
  bytes: number;
}

/**
 * Reads the announcement of an upload.
 *
 * @param maxBytes largest upload.
 * @throws Problem 422 for any other body, 415 for a type that is not accepted, 413 for a larger upload.
 */
export function readUploadRequest(event: HttpEvent, maxBytes: number): AnnouncedUpload {
  const { content_type, bytes } = readJson(event, request);
  const type = namedType(content_type);
  if (type === undefined && !unknownType.test(content_type)) {
    throw new Problem(415, 'Unsupported media type', `content_type: expected ${acceptedTypes}`);
  }
  if (bytes > maxBytes) {
    throw new Problem(413, 'Too large', `bytes: expected at most ${maxBytes}, got ${bytes}`);
  }
  return { type, bytes };
}
