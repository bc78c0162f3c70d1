import type { ByteSource } from './source.ts';
import { sparseCopy } from './sparse.ts';

/** More boxes than files have on their top level. */
const maxBoxes = 32;

/**
 * Copies the boxes of an AVIF that describe it, wherever in the file they are, without those that contain pixels
 * (ISO/IEC 14496-12, 4.2).
 *
 * @param start the first bytes of the file.
 */
export async function readBoxes(source: ByteSource, start: Buffer): Promise<Buffer> {
  const { bytes, fill } = sparseCopy(source, start);
  for (let at = 0, box = 0; box < maxBoxes; box += 1) {
    if (!(await fill(at, Math.min(16, source.size - at)))) return bytes;
    if (at + 16 > source.size) return bytes;
    const short = bytes.readUInt32BE(at);
    const length = short === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : short;
    const type = bytes.toString('latin1', at + 4, at + 8);
    // A box of length 0 reaches to the end of the file.
    if (type === 'meta' || type === 'moov') await fill(at, length || source.size - at);
    if (length < 8) return bytes;
    at += length;
  }
  return bytes;
}
