import { isUtf8 } from 'node:buffer';

const utf16 = [
  { mark: Buffer.from([0xff, 0xfe]), label: 'utf-16le' },
  { mark: Buffer.from([0xfe, 0xff]), label: 'utf-16be' },
] as const;

/**
 * The text that bytes from another program mean: UTF-8, or UTF-16 behind its byte order mark (RFC 2781, 3.2), as .NET and Java
 * write it. No UTF-8 begins with such a mark.
 *
 * @returns without a byte order mark; undefined if the bytes are neither.
 */
export function decodedText(bytes: Uint8Array): string | undefined {
  const content = bufferOf(bytes);
  const text = content.toString();
  // The replacement character takes the place of bytes that are not UTF-8, unless the sender wrote it: few texts need a second look.
  if (!text.includes('\ufffd') || isUtf8(content)) return text.startsWith('\ufeff') ? text.slice(1) : text;
  const found = utf16.find(({ mark }) => content.subarray(0, mark.length).equals(mark));
  return found && fromUtf16(content, found.label);
}

/**
 * As `decodedText`, and UTF-16 without a mark too: JSON begins with an ASCII character and has no NUL, so that a NUL in its first
 * two bytes is half of that character (RFC 4627, 3). A charset parameter is not needed for that, and has no meaning (RFC 8259, 11).
 */
export function decodedJson(bytes: Uint8Array): string | undefined {
  const [first, second] = bytes;
  if (first !== 0 && second !== 0) return decodedText(bytes);
  return fromUtf16(bufferOf(bytes), first === 0 ? 'utf-16be' : 'utf-16le');
}

/** In UTF-32 this is a text with NULs, which is no JSON. */
function fromUtf16(content: Buffer, label: 'utf-16le' | 'utf-16be'): string | undefined {
  try {
    return new TextDecoder(label, { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
