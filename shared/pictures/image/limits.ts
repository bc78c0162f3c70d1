import type { Metadata } from 'sharp';
import { RejectedError } from 'warren/functions';

/** Limits for a picture; one above them is refused before a pixel is decoded. */
export const limits = {
  /** Phones make 50.3 megapixels. Small enough to decode in the function's memory. */
  pixels: 64_000_000,
  /** For a baseline JPEG: it is decoded at a half or a quarter of its size, line by line, in less memory than 64 megapixels. */
  reducedPixels: 256_000_000,
  /** Pixels; WebP's own limit. */
  side: 16_383,
  /** An animation of more frames, or of more than `pixels` in all, is shown by its first. */
  frames: 100,
  /** Bytes of the decoded picture: 16 bits for each of four channels. */
  decoded: 512_000_000,
  /** Ten times the number that encoders make. */
  scans: 100,
} as const;

/**
 * Checks the size of a picture against the limits.
 *
 * @throws RejectedError with the limit and the picture's size, for its owner.
 */
export function checkSize({ autoOrient: { width, height }, channels, depth, ...format }: Metadata): void {
  const size = `${width} x ${height}`;
  if (Math.max(width, height) > limits.side) {
    throw new RejectedError(`expected at most ${limits.side} pixels a side, got ${size}`);
  }
  const isBaseline = format.format === 'jpeg' && !format.isProgressive;
  const pixels = isBaseline ? limits.reducedPixels : limits.pixels;
  if (width * height > pixels) {
    throw new RejectedError(`expected at most ${pixels / 1e6} megapixels, got ${size} pixels`);
  }
  const bytes = width * height * channels * (bytesPerValue[depth] ?? 16);
  if (bytes > limits.decoded && !isBaseline) {
    const [max, got] = [limits.decoded, bytes].map((each) => `${Math.ceil(each / 1e6)} MB`);
    throw new RejectedError(`expected at most ${max} when it is decoded, got ${got}: ${channels} x ${depth}`);
  }
}

/**
 * The largest width to which a picture is decoded: its own, or a half, a quarter and so on of that, until the pixels are within the
 * limit for all formats.
 */
export function decodedWidth({ width, height }: { width: number; height: number }): number {
  let divisor = 1;
  while (width * height > limits.pixels * divisor ** 2) divisor *= 2;
  return Math.floor(width / divisor);
}

/** Bytes of libvips' types for a value; `complex` types are the largest. */
const bytesPerValue: Record<string, number> = {
  uchar: 1,
  char: 1,
  ushort: 2,
  short: 2,
  uint: 4,
  int: 4,
  float: 4,
  double: 8,
};
