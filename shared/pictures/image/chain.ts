import sharp, { type Raw, type Sharp } from 'sharp';
import type { PictureInfo } from './inspect.ts';
import { decodedWidth, limits } from './limits.ts';
import { open } from './open.ts';
import { endMarker } from './scans.ts';
import { isTiled } from './tiff.ts';
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
  info: PictureInfo,
  widths: readonly number[],
  run: Run = startTime(90),
): AsyncGenerator<Step, void, void> {
  const { width, height, animation } = info;
  const frames = animation?.frames ?? 1;
  let source = openWhole(body, info, frames).autoOrient();
  // The decoder reduces a larger picture while it reads.
  const widest = decodedWidth(info);
  const targets = new Set(widths.map((each) => Math.min(each, widest)));
  for (const target of [...targets].sort((a, b) => b - a)) {
    // Computed from the original's size, because rounding a rounded height again would be a pixel off.
    const size = { width: target, height: Math.max(1, Math.round((height * target) / width)) };
    const pixels = source
      .resize({ ...size, fit: 'fill' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' });
    const { data, info: made } = await run(
      pixels,
      (pipeline) => pipeline.toBuffer({ resolveWithObject: true }),
      'the picture is damaged: its data ends early or makes no sense',
    );
    const step = { ...size, data, channels: made.channels, frames };
    yield step;
    source = openStep(step);
  }
}

function openWhole(body: Buffer, { type, width, height, lacksEnd }: PictureInfo, frames: number): Sharp {
  const pixels = Math.max(width * height, limits.pixels);
  // Only a warning of the decoder shows that a JPEG lacks more than its end, or that it left a damaged tile black.
  if (lacksEnd) return open(Buffer.concat([body, endMarker]), { frames, pixels, failOn: 'warning' });
  const isStrict = type === 'image/tiff' && isTiled(body);
  return open(body, { frames, pixels, ...(isStrict && { failOn: 'warning' as const }) });
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
