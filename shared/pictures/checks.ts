import { RejectedError } from 'warren/functions';
import { Problem, type UploadedFile } from 'warren/http';
import type { Storage } from '../storage/storage.ts';
import { examine, UnacceptedTypeError } from './image/examine.ts';
import { bytesOf, objectOf } from './image/source.ts';
import type { PictureType } from './image/type.ts';
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
 * @throws Problem 415 for any type that is not accepted, 422 for a picture that cannot be decoded or is too large.
 */
export async function acceptedType(content: Buffer): Promise<PictureType> {
  try {
    return (await examine(bytesOf(content))).type;
  } catch (error) {
    if (!(error instanceof RejectedError)) throw error;
    const detail = `picture: ${error.message}`;
    if (error instanceof UnacceptedTypeError) throw new Problem(415, 'Unsupported media type', detail);
    throw new Problem(422, 'The request can not be served', detail);
  }
}

/**
 * Examines an uploaded object: it has the announced size, and is a picture that `POST /pictures` accepts too.
 *
 * @returns the type of the picture, or the fault of the object for people.
 * @throws Problem 409 if there is no object.
 */
export async function examineUpload(
  storage: Pick<Storage, 'read' | 'size'>,
  { id, image_path, bytes }: OwnPicture,
): Promise<{ type: PictureType } | { fault: string }> {
  const object = await objectOf(storage, image_path);
  if (object === undefined) {
    const detail = `picture ${id}: nothing was uploaded; PUT it to the address that POST /uploads gave, then complete`;
    throw new Problem(409, 'Not uploaded', detail);
  }
  if (object.size !== bytes)
    return { fault: `expected ${bytes} bytes, as was announced, got ${object.size}` };
  try {
    return await examine(object);
  } catch (error) {
    if (error instanceof RejectedError) return { fault: error.message };
    throw error;
  }
}
