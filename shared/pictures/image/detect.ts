import { fileTypeFromBuffer } from 'file-type';
import { isPictureType, type PictureType } from './type.ts';

/**
 * Finds out what a file is by its first bytes; its name and what its sender says of it count for nothing.
 *
 * @returns the type where it is one we take, else a text for people that says what it is.
 */
export async function detectType(bytes: Uint8Array): Promise<{ type: PictureType } | { found: string }> {
  const found = await fileTypeFromBuffer(bytes);
  if (!found) return { found: 'a file that is none of these' };
  // Camera makers' raw formats are TIFF inside, and we can't develop them; file-type tells them apart.
  return isPictureType(found.mime) ? { type: found.mime } : { found: found.mime };
}
