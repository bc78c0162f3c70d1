import type { Metadata } from 'sharp';
import { RejectedError } from 'warren/functions';
import { examine, openHead, type PictureHead } from './examine.ts';
import { limits } from './limits.ts';
import { readScans } from './scans.ts';
import { bytesOf } from './source.ts';
import type { PictureType } from './type.ts';

/** Size and format of a picture, with its orientation applied, and how it is decoded. */
export interface PictureInfo extends PictureHead {
  /** Set for an animation that is small enough to stay one. */
  animation?: Animation;
  /** Set for a JPEG without the marker that ends it. */
  lacksEnd?: true;
}

/** The frames of an animation: how many, how long each is shown in milliseconds, and how often (0 is for ever). */
export interface Animation {
  frames: number;
  delay: number[];
  loop: number;
}

/**
 * Reads everything about a picture that decoding it needs, without decoding its pixels.
 *
 * @throws RejectedError as `examine` does, and for a JPEG of too many scans.
 */
export async function inspect(body: Buffer): Promise<PictureInfo> {
  const head = await examine(bytesOf(body));
  if (head.type === 'image/jpeg') {
    const { scans, ended } = readScans(body);
    if (scans > limits.scans) {
      throw new RejectedError(`expected a JPEG of at most ${limits.scans} scans, got more`);
    }
    return { ...head, ...(!ended && { lacksEnd: true as const }) };
  }
  const animation = await openHead(body).then((metadata) => animationOf(head.type, metadata));
  return { ...head, ...(animation && { animation }) };
}

function animationOf(type: PictureType, metadata: Metadata): Animation | undefined {
  const { width, height, pages = 1, delay = [], loop = 0, orientation = 1 } = metadata;
  // Pages of a TIFF are no animation, and frames are never rotated.
  if ((type !== 'image/gif' && type !== 'image/webp') || pages === 1 || orientation !== 1) return undefined;
  if (pages > limits.frames || width * height * pages > limits.pixels) return undefined;
  const short = (value: number) => Math.min(Math.max(value, 0), 65_535);
  return { frames: pages, delay: delay.slice(0, pages).map(short), loop: short(loop) };
}
