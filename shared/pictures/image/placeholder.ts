import { rgbaToThumbHash } from 'thumbhash';
import { openStep, type Step } from './chain.ts';

/** Shown by a page before the picture has loaded. */
export interface Placeholder {
  /** Base64 of about 25 bytes. */
  thumbhash: string;
  /** `#rrggbb`. */
  color: string;
}

/** Largest side of the input of a ThumbHash, in pixels: it keeps seven waves, which 100 pixels show no better for ten times the work. */
const maxSide = 32;

/** Makes the placeholder from a small version of a picture. */
export async function makePlaceholder(frame: Step): Promise<Placeholder> {
  const { data: rgba, info } = await openStep(frame)
    .resize({ width: maxSide, height: maxSide, fit: 'inside', withoutEnlargement: true })
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const hash = rgbaToThumbHash(info.width, info.height, rgba);
  return { thumbhash: Buffer.from(hash).toString('base64'), color: dominantColor(rgba) };
}

/**
 * The mean of the most similar pixels: an average of all would be muddy for a picture with two colors.
 *
 * @param rgba transparent pixels count less.
 */
function dominantColor(rgba: Uint8Array): string {
  // Four steps a channel: sums of red, green and blue, weighted by alpha, and the weight.
  const bins = Array.from({ length: 64 }, () => [0, 0, 0, 0] as [number, number, number, number]);
  for (let at = 0; at < rgba.length; at += 4) {
    // By index: a view of each pixel would cost more than all else here.
    const [red = 0, green = 0, blue = 0, alpha = 0] = [rgba[at], rgba[at + 1], rgba[at + 2], rgba[at + 3]];
    const bin = bins[(red >> 6) * 16 + (green >> 6) * 4 + (blue >> 6)];
    if (!bin) continue;
    bin[0] += red * alpha;
    bin[1] += green * alpha;
    bin[2] += blue * alpha;
    bin[3] += alpha;
  }
  const [red, green, blue, weight] = bins.reduce((most, bin) => (bin[3] > most[3] ? bin : most));
  // For a fully transparent picture, the background.
  if (weight === 0) return '#ffffff';
  return `#${[red, green, blue].map((sum) => hex(sum / weight)).join('')}`;
}

const hex = (value: number): string => Math.round(value).toString(16).padStart(2, '0');
