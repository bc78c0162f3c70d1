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

/** Names that programs use for the same types: older ones, and what file managers send. */
const aliases: Record<string, PictureType> = {
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'image/jfif': 'image/jpeg',
  'image/jpe': 'image/jpeg',
  'image/pipeg': 'image/jpeg',
  'image/apng': 'image/png',
  'image/tif': 'image/tiff',
};

/**
 * The type that a sender names, read liberally: in any case (RFC 9110, 8.3.1), with parameters, or under an older name.
 *
 * @returns undefined for a type that is not accepted.
 */
export function namedType(text: string): PictureType | undefined {
  // Before RFC 6648 an unregistered name began with "x-".
  const name = (text.split(';')[0]?.trim().toLowerCase() ?? '').replace(/^image\/x-/, 'image/');
  if (isPictureType(name)) return name;
  return Object.hasOwn(aliases, name) ? aliases[name] : undefined;
}
