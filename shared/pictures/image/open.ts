import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { limits } from './limits.ts';

// The decoders that are enabled. libvips has more, but each decoder is code that strangers' bytes reach.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff'].map((name) => `VipsForeignLoad${name}Buffer`),
});
// A cache would only take memory, because each picture is different.
sharp.cache(false);
// Two concurrent pictures use two cores better than one picture in two threads.
sharp.concurrency(1);

interface OpenOptions {
  /** Number of frames, default 1. */
  frames?: number;
  /** Limit for pixels, default that of every format; false for none. */
  pixels?: number | false;
  /** Which damage is an error, default `error`. */
  failOn?: SharpOptions['failOn'];
}

/**
 * Opens a picture: the first frame of an animation and the first page of a TIFF, or the given number of frames.
 *
 * @throws at the first use, if the picture is damaged or has more pixels than allowed.
 */
export function open(
  body: Buffer,
  { frames = 1, pixels = limits.pixels, failOn = 'error' }: OpenOptions = {},
): Sharp {
  return sharp(body, { limitInputPixels: pixels, failOn, pages: frames, sequentialRead: true });
}
