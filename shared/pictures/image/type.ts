/** The accepted types of pictures, with the extensions of their files. */
const extensions = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/avif': 'avif',
  'image/tiff': 'tif',
} as const;

export type PictureType = keyof typeof extensions;

/** The accepted types, for people. */
export const acceptedTypes = 'JPEG, PNG, WebP, GIF, AVIF or TIFF';

/** The extension of a file of this type, without the dot. */
export const extensionOf = (type: PictureType): string => extensions[type];

/** Whether a media type is accepted. */
export const isPictureType = (type: string): type is PictureType => Object.hasOwn(extensions, type);
