import { RejectedError } from 'warren/functions';
import { isTiff, readEntries, tiffForm } from './tiff.ts';

/** Compressions of a TIFF by their number (TIFF 6.0, section 8, and libtiff's tiff.h) that our libtiff decodes. */
const decodedCompressions = new Set([
  1, 2, 3, 4, 5, 7, 8, 32766, 32771, 32773, 32809, 32946, 34676, 34677, 50001,
]);
const compressionTag = 259;

/** Codings of a JPEG by the marker of its frame (ITU-T T.81, table B.1) that our decoder lacks. */
const undecodedFrames: Readonly<Record<number, string>> = {
  197: 'differential',
  198: 'differential',
  199: 'differential',
  203: 'lossless with arithmetic coding',
  205: 'differential',
  206: 'differential',
  207: 'differential',
};

/**
 * Checks that our decoders have the coding of a file's pixels. Without the check a file whose header can be read would be
 * accepted, and then fail as damaged, or be shown as black: libvips leaves a tile black that it cannot decode.
 *
 * @param head the start of the file, with the first directory of a TIFF.
 * @throws RejectedError with the coding, for the picture's owner. None for a file that is neither TIFF nor JPEG.
 */
export function checkCoding(head: Buffer): void {
  if (isTiff(head)) checkTiff(head);
  else if (head[0] === 0xff && head[1] === 0xd8) checkJpeg(head);
}

function checkTiff(head: Buffer): void {
  const entry = readEntries(head).find(({ tag }) => tag === compressionTag);
  if (!entry) return;
  const { entry: bytes, inline, u16, value } = tiffForm(head);
  const isShort = u16(entry.at + 2) === 3;
  const compression = (isShort ? u16 : value)(entry.at + bytes - inline);
  if (decodedCompressions.has(compression)) return;
  const expected =
    'expected a TIFF that is uncompressed or compressed by LZW, Deflate, PackBits, JPEG, WebP or CCITT';
  throw new RejectedError(`${expected}, got the compression ${compression}`);
}

function checkJpeg(head: Buffer): void {
  const at = frameOf(head);
  if (at === undefined) return;
  const [process, bits] = [undecodedFrames[head.readUInt8(at + 1)], head.readUInt8(at + 4)];
  if (process !== undefined)
    throw new RejectedError(`expected a JPEG that is not ${process}, got one that is`);
  if (bits !== 8) throw new RejectedError(`expected a JPEG with 8 bits a channel, got ${bits}`);
  if (head.readUInt16BE(at + 5) === 0) {
    throw new RejectedError('expected a JPEG whose header contains its height, got one without (DNL)');
  }
}

/** The position of the frame's header in a JPEG; undefined if the first bytes do not contain it whole. */
function frameOf(jpeg: Buffer): number | undefined {
  for (let at = 2; at + 9 <= jpeg.length; ) {
    if (jpeg[at] !== 0xff) return undefined;
    const marker = jpeg.readUInt8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return at;
    // Any number of 0xff may come before a marker.
    at += marker === 0xff ? 1 : 2 + jpeg.readUInt16BE(at + 2);
  }
  return undefined;
}
