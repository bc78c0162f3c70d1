/** Texts that are kept at most, and the longest of them in bytes: about 50 kB together. */
const [slots, maxBytes] = [512, 64];

/**
 * Keeps short texts that come again and again, such as names of headers, so that they need not be decoded each time. A text takes
 * the place of another that has the same hash, so that texts of hostile messages push out others and the memory stays bounded.
 */
export class KnownTexts {
  readonly #texts: string[] = new Array(slots).fill('');

  /** The text in these bytes of UTF-8. */
  read(bytes: Buffer, from: number, to: number): string {
    const length = to - from;
    if (length > maxBytes) return bytes.toString(undefined, from, to);
    const slot = hash(bytes, from, to);
    const known = this.#texts[slot] as string;
    if (known.length === length && isSame(known, bytes, from)) return known;
    const text = bytes.toString(undefined, from, to);
    this.#texts[slot] = text;
    return text;
  }
}

/** A hash of the length and five of the bytes: to read all of them would take as long as to decode the text. */
function hash(bytes: Buffer, from: number, to: number): number {
  const length = to - from;
  const half = length >> 1;
  const ends = (bytes[from] as number) * 3 + (bytes[to - 1] as number) * 31;
  const quarters =
    (bytes[from + (half >> 1)] as number) * 101 + (bytes[from + half + (half >> 1)] as number) * 53;
  return (length * 17 + ends + quarters + (bytes[from + half] as number) * 7) & (slots - 1);
}

/** Only a text of ASCII has a character for each byte with its value, so any other is decoded again. */
function isSame(text: string, bytes: Buffer, from: number): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) !== bytes[from + at]) return false;
  return true;
}
