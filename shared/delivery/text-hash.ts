import { createHash } from 'node:crypto';

/**
 * Returns the SHA-256 of a text, in hexadecimal digits. A text with lone surrogates has no UTF-8 form, in which all of them
 * would be U+FFFD: they stand for the bytes of a producer's id that is not UTF-8, and other ids must have other hashes.
 */
export function textHash(text: string): string {
  const form = /\p{Cs}/u.test(text) ? JSON.stringify(text) : text;
  return createHash('sha256').update(form).digest('hex');
}
