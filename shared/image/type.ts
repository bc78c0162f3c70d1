import { fileTypeFromBuffer } from 'file-type';

/** The kinds of pictures we take, and how their files end. */
const extensions = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/avif': 'avif',
  'image/tiff': 'tif',
} as const;

export type PictureType = keyof typeof extensions;

/** For people: what we take. */
export const acceptedTypes = 'JPEG, PNG, WebP, GIF, AVIF or TIFF';

/** How the name of a file of this type ends, without the dot. */
export const extensionOf = (type: PictureType): string => extensions[type];

/**
 * Finds out what a file is by its first bytes; its name and what its sender says of it count for nothing.
 *
 * @returns the type where it is one we take, else a text for people that says what it is.
 */
export async function detectType(bytes: Uint8Array): Promise<{ type: PictureType } | { found: string }> {
  const found = await fileTypeFromBuffer(bytes);
  if (!found) return { found: 'a file that is none of these' };
  // Camera makers' raw formats are TIFF inside, and we can't develop them; file-type tells them apart.
  return found.mime in extensions ? { type: found.mime as PictureType } : { found: found.mime };
}

/** Whether a media type is one of those we take. */
export const isPictureType = (type: string): type is PictureType => Object.hasOwn(extensions, type);
