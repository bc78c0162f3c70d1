import { isUtf8 } from 'node:buffer';

const utf16 = [
  { mark: Buffer.from([0xff, 0xfe]), label: 'utf-16le' },
  { mark: Buffer.from([0xfe, 0xff]), label: 'utf-16be' },
];

/**
 * The text that bytes from another program mean: UTF-8, or UTF-16 behind its byte order mark (RFC 2781, 3.2), as .NET and Java
 * write it. No UTF-8 begins with such a mark.
 *
 * @returns without a byte order mark; undefined if the bytes are neither.
 */
export function decodedText(bytes: Uint8Array): string | undefined {
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(content)) return content.toString().replace(/^\ufeff/, '');
  const found = utf16.find(({ mark }) => content.subarray(0, mark.length).equals(mark));
  try {
    return found && new TextDecoder(found.label, { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
}
