import sharp, { type Sharp } from 'sharp';
import { chain, firstFrame, openStep, type Step } from './chain.ts';
import type { Animation, PictureInfo } from './inspect.ts';
import { makePlaceholder, type Placeholder } from './placeholder.ts';
import { defaultVariants, type VariantFormat, type VariantSettings } from './settings.ts';
import { startTime } from './time-limit.ts';

/** One variant of a picture. */
export interface Variant {
  width: number;
  height: number;
  format: VariantFormat;
  body: Buffer;
}

export interface VariantOptions {
  settings?: VariantSettings;
  /** Time limit for the whole picture, default 90: below the function's own limit, so that the owner gets the reason. */
  seconds?: number;
}

/**
 * Contains every input of a variant's bytes besides the original. It is a part of the key, because the object of a key that
 * browsers keep must never change.
 */
export function variantMark({ width, format }: Omit<Variant, 'body'>, { quality }: VariantSettings): string {
  // The version is included because another encoder makes other bytes.
  return `v3 sharp ${sharp.versions.sharp} ${format} ${quality[format]} ${width}`;
}

/**
 * Makes the variants of a picture: each width in each format, upright, in sRGB, without any metadata; none is wider than the
 * original. WebP keeps animations moving; JPEG, with white in place of transparency, and AVIF show the first frame. The picture
 * is decoded once and each width is made from the one before: twice as many pictures a second as decoding it for each, without
 * a visible difference (`dev/bench/pictures.mjs` measures both).
 *
 * @param take gets each variant when it is made, so that not all of them are in memory at once.
 * @returns the placeholder, made from the smallest.
 * @throws RejectedError if the picture is broken, or takes too long; its text is for the picture's owner.
 */
export async function makeVariants(
  body: Buffer,
  info: PictureInfo,
  take: (variant: Variant) => Promise<void>,
  { settings = defaultVariants, seconds = 90 }: VariantOptions = {},
): Promise<Placeholder> {
  const run = startTime(seconds);
  const encode = async (step: Step, format: VariantFormat): Promise<void> => {
    const shown = format === 'webp' ? step : firstFrame(step);
    const encoded = encoders[format](openStep(shown), settings.quality[format], info.animation);
    const { width, height } = step;
    await take({ width, height, format, body: await run(encoded, (pipeline) => pipeline.toBuffer()) });
  };
  let smallest: Step | undefined;
  for await (const step of chain(body, info, settings.widths, run)) {
    await Promise.all(settings.formats.map((format) => encode(step, format)));
    smallest = step;
  }
  if (!smallest) throw new TypeError('expected at least one width');
  return makePlaceholder(firstFrame(smallest));
}

/**
 * WebP takes half the processor time of sharp's own effort of 4, for 3 % more bytes and a difference that is not visible. ImageMagick's
 * quantization tables save 6 % of the bytes of a JPEG (`dev/bench/pictures-encoders.mjs` measures both).
 */
const usual = { webp: { effort: 2 }, jpeg: { quantisationTable: 3 } };

const encoders: Record<VariantFormat, (pixels: Sharp, quality: number, animation?: Animation) => Sharp> = {
  webp: (pixels, quality, { delay, loop } = { frames: 1, delay: [], loop: 0 }) =>
    pixels.webp({ ...usual.webp, quality, ...(delay.length > 0 && { delay, loop }) }),
  jpeg: (pixels, quality) => pixels.flatten({ background: 'white' }).jpeg({ ...usual.jpeg, quality }),
  avif: (pixels, quality) => pixels.avif({ quality }),
};
