import { Problem, type UploadedFile } from 'warren/http';
import type { Storage } from '../storage/storage.ts';
import { detectType } from './image/detect.ts';
import { acceptedTypes, type PictureType } from './image/type.ts';
import { identifyingBytes } from './originals.ts';
import type { OwnPicture } from './own-pictures.ts';

/**
 * The content of a form's only file, the field `picture`.
 *
 * @param maxBytes limit for the file.
 * @throws Problem 422 for any other form, or an empty file; 413 with the route for larger files.
 */
export function onlyPicture(files: readonly UploadedFile[], maxBytes: number): Buffer {
  const [file, another] = files;
  if (!file || another || file.field !== 'picture') {
    const got = files.map(({ field }) => `"${field}"`).join(' and ') || 'none';
    throw new Problem(422, 'The request can not be served', `picture: expected one file, got ${got}`);
  }
  if (file.truncated) {
    const detail = `picture: expected at most ${maxBytes} bytes (4 MiB), got more; POST /uploads takes larger ones`;
    throw new Problem(
      413,
      'Too large',
      detail,
      { link: '</uploads>; rel="related"' },
      { uploads: '/uploads' },
    );
  }
  if (file.content.length === 0) {
    throw new Problem(422, 'The request can not be served', 'picture: expected a picture, got an empty file');
  }
  return file.content;
}

/**
 * The type of a picture, by its content.
 *
 * @throws Problem 415 for any type that is not accepted.
 */
export async function acceptedType(content: Buffer): Promise<PictureType> {
  const detected = await detectType(content);
  if ('type' in detected) return detected.type;
  const detail = `picture: expected ${acceptedTypes}, got ${detected.found}`;
  throw new Problem(415, 'Unsupported media type', detail);
}

/**
 * Compares an uploaded object with the announcement of the upload.
 *
 * @returns the difference, for people; undefined if there is none.
 * @throws Problem 409 if there is no object.
 */
export async function faultOf(
  storage: Pick<Storage, 'size' | 'start'>,
  picture: OwnPicture,
): Promise<string | undefined> {
  const { id, image_path, bytes, content_type } = picture;
  const size = await storage.size(image_path);
  if (size === undefined) {
    const detail = `picture ${id}: nothing was uploaded; PUT it to the address that POST /uploads gave, then complete`;
    throw new Problem(409, 'Not uploaded', detail);
  }
  if (size !== bytes) return `expected ${bytes} bytes, as was announced, got ${size}`;
  const detected = await detectType((await storage.start(image_path, identifyingBytes)) ?? Buffer.alloc(0));
  const type = 'type' in detected ? detected.type : detected.found;
  return type === content_type ? undefined : `expected ${content_type}, as was announced, got ${type}`;
}
