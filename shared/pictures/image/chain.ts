import sharp, { type Raw, type Sharp } from 'sharp';
import { open, type PictureInfo } from './inspect.ts';
import { type Run, startTime } from './time-limit.ts';

/** One step of the chain: pixels in sRGB, 8 bits a channel, upright, frames of this size one below the other. */
export interface Step {
  data: Buffer;
  width: number;
  height: number;
  channels: Raw['channels'];
  frames: number;
}

/**
 * Decodes a picture once and makes each width from the one before, from the widest to the smallest; none is wider than the
 * original.
 *
 * @throws RejectedError if the picture is broken, or takes too long.
 */
export async function* chain(
  body: Buffer,
  { width, height, animation }: PictureInfo,
  widths: readonly number[],
  run: Run = startTime(90),
): AsyncGenerator<Step, void, void> {
  const frames = animation?.frames ?? 1;
  let source = open(body, { frames }).autoOrient();
  const targets = new Set(widths.map((each) => Math.min(each, width)));
  for (const target of [...targets].sort((a, b) => b - a)) {
    // From the original: rounding a rounded height again would be a pixel off.
    const size = { width: target, height: Math.max(1, Math.round((height * target) / width)) };
    const pixels = source
      .resize({ ...size, fit: 'fill' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' });
    const { data, info } = await run(
      pixels,
      (pipeline) => pipeline.toBuffer({ resolveWithObject: true }),
      'the picture is damaged: its data ends early or makes no sense',
    );
    const step = { ...size, data, channels: info.channels, frames };
    yield step;
    source = openStep(step);
  }
}

/** For one frame, the step itself. */
export function firstFrame(step: Step): Step {
  const { data, width, height, channels } = step;
  return { ...step, data: data.subarray(0, width * height * channels), frames: 1 };
}

export function openStep({ data, width, height, channels, frames }: Step): Sharp {
  const raw = { width, height: height * frames, channels, ...(frames > 1 && { pageHeight: height }) };
  return sharp(data, { raw, animated: frames > 1 });
}
