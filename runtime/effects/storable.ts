/**
 * A text as PostgreSQL can store it, other ones for other texts: without U+0000, and without the lone surrogates that stand for bytes
 * of an id that is not UTF-8.
 */
export function storable(text: string): string {
  return text
    .replaceAll('\0', '\ufffd')
    .replace(/\p{Cs}/gu, (surrogate) => `\ufffd${surrogate.charCodeAt(0).toString(16)}`);
}
