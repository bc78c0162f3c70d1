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

/** Whether a media type is one of those we take. */
export const isPictureType = (type: string): type is PictureType => Object.hasOwn(extensions, type);
