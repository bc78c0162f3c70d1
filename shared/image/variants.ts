import sharp, { type Raw, type Sharp } from 'sharp';
import { RejectedError } from '../errors.ts';
import { type Animation, open, type PictureInfo } from './inspect.ts';
import { makePlaceholder, type Placeholder } from './placeholder.ts';
import { defaultVariants, type VariantFormat, type VariantSettings } from './settings.ts';

/** One rendition of a picture. */
export interface Variant {
  width: number;
  height: number;
  format: VariantFormat;
  body: Buffer;
}

export interface VariantOptions {
  settings?: VariantSettings;
  /** For the whole picture, default 90: below the function's own limit, so that its owner is told why. */
  seconds?: number;
}

/** One step of the chain: pixels in sRGB, 8 bits a channel, frames of this size one below the other. */
interface Step {
  data: Buffer;
  width: number;
  height: number;
  channels: Raw['channels'];
  frames: number;
}

/**
 * Names all that a variant's bytes follow from besides the original: part of its key, for an object is never to change
 * under a key that browsers keep for ever.
 */
export function variantMark({ width, format }: Omit<Variant, 'body'>, { quality }: VariantSettings): string {
  // Another encoder makes other bytes.
  return `v2 sharp ${sharp.versions.sharp} ${format} ${quality[format]} ${width}`;
}

/**
 * Makes the renditions of a picture: each width in each format, upright, in sRGB, without any metadata; none is wider
 * than the original. WebP keeps animations moving; JPEG, which is put on white where it was transparent, and AVIF show
 * the first frame. The picture is decoded once and each width is made from the one before: twice as many pictures a
 * second as opening it for each, and no difference to be seen (`bench/pictures.mjs` measures both).
 *
 * @param take gets each variant when it is made, so that not all of them are held at once.
 * @returns the placeholder, made from the smallest.
 * @throws RejectedError where the picture is broken, or takes too long; its text is for the picture's owner.
 */
export async function makeVariants(
  body: Buffer,
  { width, height, animation }: PictureInfo,
  take: (variant: Variant) => Promise<void>,
  { settings = defaultVariants, seconds = 90 }: VariantOptions = {},
): Promise<Placeholder> {
  const endsAt = performance.now() + seconds * 1000;
  /** Runs one pipeline within what is left of the time. */
  const run = <T>(pipeline: Sharp, output: (pipeline: Sharp) => Promise<T>, reason?: string): Promise<T> => {
    const left = Math.max(1, Math.ceil((endsAt - performance.now()) / 1000));
    return output(pipeline.timeout({ seconds: left })).catch((cause: unknown) => {
      const late = performance.now() >= endsAt;
      if (!late && reason === undefined) throw cause;
      throw new RejectedError(late ? `it takes more than ${seconds} seconds to work on` : `${reason}`, {
        cause,
      });
    });
  };
  const encode = async (step: Step, format: VariantFormat): Promise<void> => {
    const shown = animation && format === 'webp' ? step : firstFrame(step);
    const encoded = encoders[format](openStep(shown), settings.quality[format], animation);
    const { width, height } = step;
    await take({ width, height, format, body: await run(encoded, (pipeline) => pipeline.toBuffer()) });
  };

  let source = open(body, { frames: animation?.frames ?? 1 }).autoOrient();
  let smallest: Step | undefined;
  for (const target of chainOf(settings.widths, width)) {
    // From the original: rounding a rounded height again would be a pixel off.
    const size = { width: target, height: Math.max(1, Math.round((height * target) / width)) };
    const pixels = source
      .resize({ ...size, fit: 'fill' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' });
    const { data, info } = await run(
      pixels,
      (pipeline) => pipeline.toBuffer({ resolveWithObject: true }),
      damaged,
    );
    const step: Step = { ...size, data, channels: info.channels, frames: animation?.frames ?? 1 };
    await Promise.all(settings.formats.map((format) => encode(step, format)));
    source = openStep(step);
    smallest = step;
  }
  if (!smallest) throw new TypeError('expected at least one width');
  const first = firstFrame(smallest);
  return makePlaceholder(first.data, rawOf(first));
}

const damaged = 'the picture is damaged: its data ends early or makes no sense';

const encoders: Record<VariantFormat, (pixels: Sharp, quality: number, animation?: Animation) => Sharp> = {
  webp: (pixels, quality, { delay, loop } = { frames: 1, delay: [], loop: 0 }) =>
    pixels.webp({ quality, ...(delay.length > 0 && { delay, loop }) }),
  jpeg: (pixels, quality) => pixels.flatten({ background: 'white' }).jpeg({ quality }),
  avif: (pixels, quality) => pixels.avif({ quality }),
};

/** From the widest, and nothing wider than the original. */
function chainOf(widths: readonly number[], most: number): number[] {
  return [...new Set(widths.map((width) => Math.min(width, most)))].sort((a, b) => b - a);
}

function firstFrame(step: Step): Step {
  const { data, width, height, channels } = step;
  return { ...step, data: data.subarray(0, width * height * channels), frames: 1 };
}

function openStep(step: Step): Sharp {
  return sharp(step.data, { raw: rawOf(step), animated: step.frames > 1 });
}

function rawOf({ width, height, channels, frames }: Step): Raw {
  return { width, height: height * frames, channels, ...(frames > 1 && { pageHeight: height }) };
}
