import sharp, { type Metadata, type Sharp } from 'sharp';
import { RejectedError } from 'warren/functions';
import { detectType } from './detect.ts';
import { countScans } from './scans.ts';
import { acceptedTypes, type PictureType } from './type.ts';

/** Size and format of a picture, with its orientation applied. */
export interface PictureInfo {
  type: PictureType;
  width: number;
  height: number;
  /** Set for an animation that is small enough to stay one. */
  animation?: Animation;
}

/** The frames of an animation: how many, how long each is shown in milliseconds, and how often (0 is for ever). */
export interface Animation {
  frames: number;
  delay: number[];
  loop: number;
}

/** Limits for a picture; one above them is refused before a pixel is decoded. */
export const limits = {
  /** More than most phones and cameras make, and small enough to decode in the function's memory. */
  pixels: 50_000_000,
  /** Pixels; WebP's own limit. */
  side: 16_383,
  /** An animation of more frames, or of more than `pixels` in all, is shown by its first. */
  frames: 100,
  /** Bytes it takes when it is decoded: 16 bits for each of four channels. */
  decoded: 400_000_000,
  /** Ten times what encoders make. */
  scans: 100,
} as const;

// The decoders that are enabled. libvips has more, but each decoder is code that strangers' bytes reach.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff'].map((name) => `VipsForeignLoad${name}Buffer`),
});
// Pictures differ: keeping what was computed for the last one only takes memory.
sharp.cache(false);
// Two pictures side by side use two cores better than one picture in two threads.
sharp.concurrency(1);

/**
 * Reads size and format of a picture, without decoding its pixels.
 *
 * @throws RejectedError if it is no accepted picture, or too large; its text is for the picture's owner.
 */
export async function inspect(body: Buffer): Promise<PictureInfo> {
  const detected = await detectType(body);
  if ('found' in detected) throw new RejectedError(`expected ${acceptedTypes}, got ${detected.found}`);
  const { type } = detected;
  // The header alone costs nothing, however large the picture is.
  const metadata = await open(body, { pixels: false })
    .metadata()
    .catch((cause: unknown) => {
      throw new RejectedError('the picture can not be decoded', { cause });
    });
  const { width, height } = metadata.autoOrient;
  checkSize(width, height, metadata);
  if (type === 'image/jpeg' && countScans(body) > limits.scans) {
    throw new RejectedError(`expected a JPEG of at most ${limits.scans} scans, got more`);
  }
  const animation = animationOf(type, metadata);
  return { type, width, height, ...(animation && { animation }) };
}

/**
 * Opens a picture: the first frame of an animation and the first page of a TIFF, or the given number of frames.
 *
 * @throws at the first use, if the picture is damaged or has more pixels than allowed.
 */
export function open(
  body: Buffer,
  { frames = 1, pixels = limits.pixels }: { frames?: number; pixels?: number | false } = {},
): Sharp {
  return sharp(body, { limitInputPixels: pixels, failOn: 'error', pages: frames, sequentialRead: true });
}

function checkSize(width: number, height: number, { channels, depth }: Metadata): void {
  const size = `${width} x ${height}`;
  if (Math.max(width, height) > limits.side) {
    throw new RejectedError(`expected at most ${limits.side} pixels a side, got ${size}`);
  }
  if (width * height > limits.pixels) {
    throw new RejectedError(`expected at most ${limits.pixels / 1e6} megapixels, got ${size} pixels`);
  }
  const bytes = width * height * channels * (bytesPerValue[depth] ?? 16);
  if (bytes > limits.decoded) {
    const [most, got] = [limits.decoded, bytes].map((each) => `${Math.ceil(each / 1e6)} MB`);
    throw new RejectedError(
      `expected at most ${most} when it is decoded, got ${got}: ${channels} x ${depth}`,
    );
  }
}

/** Bytes of libvips' types for a value; `complex` types are the largest. */
const bytesPerValue: Record<string, number> = {
  ...{ uchar: 1, char: 1, ushort: 2, short: 2, uint: 4, int: 4, float: 4, double: 8 },
};

function animationOf(type: PictureType, metadata: Metadata): Animation | undefined {
  const { width, height, pages = 1, delay = [], loop = 0, orientation = 1 } = metadata;
  // Pages of a TIFF are no animation, and frames are never rotated.
  if ((type !== 'image/gif' && type !== 'image/webp') || pages === 1 || orientation !== 1) return undefined;
  if (pages > limits.frames || width * height * pages > limits.pixels) return undefined;
  const short = (value: number) => Math.min(Math.max(value, 0), 65_535);
  return { frames: pages, delay: delay.slice(0, pages).map(short), loop: short(loop) };
}
