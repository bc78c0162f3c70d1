import { fileTypeFromBuffer } from 'file-type';
import { isPictureType, type PictureType } from './type.ts';

/**
 * Detects the type of a file by its first bytes, regardless of its name and of its sender's media type.
 *
 * @returns the type if it is accepted, else a text for people that names it.
 */
export async function detectType(bytes: Uint8Array): Promise<{ type: PictureType } | { found: string }> {
  const found = await fileTypeFromBuffer(bytes);
  if (!found) return { found: 'a file that is none of these' };
  // Camera makers' raw formats are TIFF inside, and cannot be developed here; file-type distinguishes them.
  return isPictureType(found.mime) ? { type: found.mime } : { found: found.mime };
}
