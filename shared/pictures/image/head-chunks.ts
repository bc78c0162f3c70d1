import type { ByteSource } from './source.ts';
import { sparseCopy } from './sparse.ts';

/** More chunks than a still WebP has behind its pixels. */
const maxChunks = 32;

/**
 * Copies the chunks of a WebP that describe it (RFC 9649, section 2). The copy of an animation ends with the frames of which the
 * first bytes are known, because a decoder looks into each.
 *
 * @param start the first bytes of the file.
 */
export async function readChunks(source: ByteSource, start: Buffer): Promise<Buffer> {
  const { bytes, fill } = sparseCopy(source, start);
  const end = Math.min(source.size, 8 + bytes.readUInt32LE(4));
  let at = 12;
  for (let far = 0; far < maxChunks && at + 8 <= end; ) {
    const isFar = at + 8 > start.length;
    if (isFar) far += 1;
    if (isFar && !(await fill(at, 8))) break;
    const type = bytes.toString('latin1', at, at + 4);
    if (isFar && type === 'ANMF') break;
    const length = bytes.readUInt32LE(at + 4);
    // EXIF has the orientation, and the first bytes of pixels their size.
    await fill(at + 8, Math.min(type === 'EXIF' ? length : 32, end - at - 8));
    at += 8 + length + (length % 2);
  }
  const cut = Math.min(at, end);
  bytes.writeUInt32LE(cut - 8, 4);
  return bytes.subarray(0, cut);
}
