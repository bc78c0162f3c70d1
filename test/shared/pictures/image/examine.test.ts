/** Variations of the formats in the test suites of sharp and libvips: parts of a file lead to the same verdict as all of it. */
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { examine } from '../../../../shared/pictures/image/examine.ts';
import { bytesOf } from '../../../../shared/pictures/image/source.ts';
import { noise } from '../../../support/pictures.ts';

const [width, height] = [600, 400];
const picture = () => noise(width, height);
const frames = () => {
  const create = { width, height: 3 * height, channels: 3 as const, background: 'teal', pageHeight: height };
  return sharp({ create: { ...create, noise: { type: 'gaussian', mean: 128, sigma: 30 } } });
};

const variations: Record<string, Buffer> = {
  'a progressive JPEG': await picture().jpeg({ progressive: true }).toBuffer(),
  'a CMYK JPEG': await picture().toColourspace('cmyk').jpeg().toBuffer(),
  'a rotated JPEG': await picture().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  'a grey JPEG without subsampling': await picture()
    .grayscale()
    .jpeg({ chromaSubsampling: '4:4:4' })
    .toBuffer(),
  'an interlaced PNG': await picture().png({ progressive: true }).toBuffer(),
  'a PNG with 16 bits': await picture().toColourspace('rgb16').png().toBuffer(),
  'a PNG with a palette': await picture().png({ palette: true }).toBuffer(),
  'a lossless WebP with alpha': await picture()
    .ensureAlpha(0.5)
    .webp({ lossless: true, effort: 0 })
    .toBuffer(),
  'an animated WebP': await frames().webp({ effort: 0 }).toBuffer(),
  'an animated GIF': await frames().gif({ effort: 1 }).toBuffer(),
  'an AVIF': await picture().avif({ effort: 0 }).toBuffer(),
  'a TIFF with LZW': await picture().tiff({ compression: 'lzw' }).toBuffer(),
  'a TIFF with tiles and a pyramid': await picture().tiff({ tile: true, pyramid: true }).toBuffer(),
  'a TIFF of one bit': await picture().toColourspace('b-w').tiff({ bitdepth: 1 }).toBuffer(),
  'a TIFF with deflate and big offsets': await picture()
    .tiff({ compression: 'deflate', bigtiff: true })
    .toBuffer(),
};

it.each(Object.entries(variations))(
  '%s has the same verdict from its parts as from all of it',
  async (_what, content) => {
    const whole = await examine(bytesOf(content));
    expect([whole.width, whole.height].toSorted()).toEqual([height, width]);
    // Beyond the largest part that is read from the start.
    const padded = Buffer.concat([content, Buffer.alloc(5 * 1024 * 1024)]);
    expect(await examine(bytesOf(padded))).toEqual(whole);
  },
);

it.each(['image/heic', 'image/jp2', 'a text'])(
  '%s is refused from its parts as from all of it',
  async (what) => {
    const heads: Record<string, string> = {
      'image/heic': '\0\0\0\u0018ftypheic\0\0\0\0mif1heic',
      'image/jp2': '\0\0\0\u000cjP  \r\n\u0087\n\0\0\0\u0014ftypjp2 \0\0\0\0jp2 ',
      'a text': 'no picture at all',
    };
    const content = Buffer.from(heads[what] ?? '', 'latin1');
    const refused = (body: Buffer) => examine(bytesOf(body)).catch((error: Error) => error.message);
    expect(await refused(content)).toMatch(/^expected JPEG/);
    expect(await refused(Buffer.concat([content, Buffer.alloc(5 * 1024 * 1024)]))).toBe(
      await refused(content),
    );
  },
);

it.each([
  ['TIFF', 'image/tiff', await picture().tiff({ compression: 'none' }).toBuffer()],
  ['WebP', 'image/webp', await picture().webp().toBuffer()],
  ['TIFF of its first bytes', 'image/tiff', Buffer.from('II*\0')],
])('a %s that is cut off is refused with that reason, not as another type', async (_what, type, content) => {
  const half = content.subarray(0, Math.max(4, content.length / 2));
  await expect(examine(bytesOf(half))).rejects.toThrow(
    `the picture can not be decoded: its header is damaged or the file ends early (${type})`,
  );
});
