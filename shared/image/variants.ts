import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import { RejectedError } from '../errors.ts';
import { acceptedTypes, detectType, type PictureType } from './type.ts';

/** One rendition of a picture. */
export interface Variant {
  width: number;
  height: number;
  format: 'webp' | 'jpeg';
  body: Buffer;
}

/** What a picture is, its orientation applied. */
export interface PictureInfo {
  type: PictureType;
  width: number;
  height: number;
}

/** Widths of the renditions in pixels; the order is that of the chain, each made from the one before. */
export const widths = [1600, 800, 320, 160] as const;

/** Part of the variants' keys: change it with anything that changes their bytes. */
export const variantSettings = 'v1';

const quality = { webp: 80, jpeg: 82 } as const;
/** More than any phone or camera in common use makes, and small enough to decode in the function's memory. */
const limitInputPixels = 64_000_000;
/** WebP's limit. */
const mostSide = 16_383;

// Of all that libvips can open, only what we accept: each decoder is code that strangers' bytes reach.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff'].map((name) => `VipsForeignLoad${name}Buffer`),
});
// Pictures differ: keeping what was computed for the last one only takes memory.
sharp.cache(false);

/**
 * Tells what a picture is, without decoding its pixels.
 *
 * @throws RejectedError where it is no picture we take, or too large.
 */
export async function inspect(body: Buffer): Promise<PictureInfo> {
  const detected = await detectType(body);
  if ('found' in detected) throw new RejectedError(`expected ${acceptedTypes}, got ${detected.found}`);
  // The header alone costs nothing, however large the picture is.
  const metadata = await open(body, { limitInputPixels: false })
    .metadata()
    .catch((cause: unknown) => {
      throw new RejectedError('the picture can not be decoded', { cause });
    });
  const { width, height } = orientedSize(metadata);
  if (Math.max(width, height) > mostSide) {
    throw new RejectedError(`expected at most ${mostSide} pixels a side, got ${width} x ${height}`);
  }
  if (width * height > limitInputPixels) {
    const megapixels = limitInputPixels / 1e6;
    throw new RejectedError(`expected at most ${megapixels} megapixels, got ${width} x ${height} pixels`);
  }
  return { type: detected.type, width, height };
}

/**
 * Makes the renditions of a picture: each width in WebP and JPEG, upright, in sRGB, without any metadata; none is wider
 * than the original. The picture is decoded once and each width is made from the one before: twice as many pictures a
 * second as opening it for each, and no difference to be seen (DESIGN's numbers are in FACTS; `bench/` has ours).
 *
 * @param take gets each variant when it is made, so that not all of them are held at once.
 * @throws RejectedError where the picture is broken.
 */
export async function makeVariants(
  body: Buffer,
  { width, height }: PictureInfo,
  take: (variant: Variant) => Promise<void>,
): Promise<void> {
  let source = open(body).autoOrient();
  for (const target of new Set(widths.map((each) => Math.min(each, width)))) {
    // From the original: rounding a rounded height again would be a pixel off.
    const size = { width: target, height: Math.max(1, Math.round((height * target) / width)) };
    const { data, info } = await source
      .resize({ ...size, fit: 'fill' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
      .catch((cause: unknown) => {
        throw new RejectedError('the picture is damaged: its data ends early or makes no sense', { cause });
      });
    const raw = { width: info.width, height: info.height, channels: info.channels };
    const pixels = () => sharp(data, { raw });
    await Promise.all([
      encode(pixels().webp({ quality: quality.webp }), 'webp'),
      encode(pixels().flatten({ background: 'white' }).jpeg({ quality: quality.jpeg }), 'jpeg'),
    ]);
    source = pixels();

    async function encode(pipeline: Sharp, format: Variant['format']): Promise<void> {
      await take({ ...size, format, body: await pipeline.toBuffer() });
    }
  }
}

function open(body: Buffer, options: SharpOptions = {}): Sharp {
  // The first frame of an animation, the first page of a TIFF.
  return sharp(body, { limitInputPixels, failOn: 'error', pages: 1, sequentialRead: true, ...options });
}

function orientedSize({ autoOrient }: Metadata): { width: number; height: number } {
  return { width: autoOrient.width, height: autoOrient.height };
}
