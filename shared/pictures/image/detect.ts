import { fileTypeFromBuffer } from 'file-type';
import type { Metadata } from 'sharp';
import { isPictureType, type PictureType } from './type.ts';

const decoded: Partial<Record<Metadata['format'], PictureType>> = {
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
  tiff: 'image/tiff',
};

/**
 * The type of a file that a decoder has opened, regardless of its name and of its sender's media type.
 *
 * @param head as for `nameType`.
 * @returns undefined for a file that no decoder here can develop or decode.
 */
export async function decodedType(head: Buffer, { format }: Metadata): Promise<PictureType | undefined> {
  // The same container holds AVIF and HEIC, and its brands may name neither.
  if (format === 'heif') return isAv1(head) ? 'image/avif' : undefined;
  const type = decoded[format];
  // Camera makers' raw formats are TIFF inside: a decoder opens their preview.
  if (type === 'image/tiff' && ((await nameType(head)) ?? type) !== type) return undefined;
  return type;
}

/**
 * The media type of a file by its first bytes, for people; undefined for an unknown one.
 *
 * @param head the first bytes, or all.
 */
export async function nameType(head: Uint8Array): Promise<string | undefined> {
  return (await fileTypeFromBuffer(head))?.mime;
}

/** Whether a file of this type may be one that a decoder opens: an APNG is a PNG, and HEIF may contain AV1. */
export const mayBeDecoded = (type: string | undefined): boolean =>
  type === undefined || isPictureType(type) || type === 'image/apng' || /^image\/hei[cf]/.test(type);

/** Whether items of a HEIF container, or its brands, say AV1 (AV1 Image File Format, sections 2.1 and 6). */
function isAv1(head: Buffer): boolean {
  return ['av01', 'avif', 'avis'].some((code) => head.includes(code, 0, 'latin1'));
}
