/** Files whose header our decoders read, and whose pixels are in a coding that they lack or that is damaged. */
import sharp, { type TiffOptions } from 'sharp';
import { describe, expect, it } from 'vitest';
import { chain } from '../../../../shared/pictures/image/chain.ts';
import { examine } from '../../../../shared/pictures/image/examine.ts';
import { inspect } from '../../../../shared/pictures/image/inspect.ts';
import { bytesOf } from '../../../../shared/pictures/image/source.ts';
import { readEntries, tiffForm } from '../../../../shared/pictures/image/tiff.ts';
import { noise } from '../../../support/pictures.ts';

const tiles = { tile: true, tileWidth: 64, tileHeight: 64 } as const;
const picture = () => noise(256, 192);

/** The picture as a TIFF that names another compression (TIFF 6.0, tag 259). */
async function named(compression: number, options: TiffOptions = {}): Promise<Buffer> {
  const tiff = await picture()
    .tiff({ compression: 'none', ...options })
    .toBuffer();
  const { entry, inline } = tiffForm(tiff);
  const at = readEntries(tiff).find(({ tag }) => tag === 259)?.at ?? Number.NaN;
  tiff.writeUInt16LE(compression, at + entry - inline);
  return tiff;
}

const verdict = (content: Buffer) =>
  examine(bytesOf(content)).then(
    () => 'accepted',
    (error: Error) => error.message,
  );
const decode = async (content: Buffer) => {
  const steps = [];
  for await (const step of chain(content, await inspect(content), [100])) steps.push(step);
  return steps;
};

describe('the coding of a picture', () => {
  it('a TIFF is accepted exactly if libtiff has its compression, for all the numbers that libtiff knows', async () => {
    const numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 32766, 32771, 32773, 32809, 32895, 32908, 32909, 32946];
    const more = [34661, 34676, 34677, 34712, 34887, 34892, 34925, 50000, 50001, 50002];
    for (const compression of [...numbers, ...more]) {
      const content = await named(compression);
      const decoder = await sharp(content, { failOn: 'error' })
        .raw()
        .toBuffer()
        .then(
          () => 'has it',
          (error: Error) => (/not (configured|implemented)/.test(error.message) ? 'lacks it' : 'has it'),
        );
      const accepted = (await verdict(content)) === 'accepted' ? 'has it' : 'lacks it';
      expect([compression, accepted]).toEqual([compression, decoder]);
    }
  }, 30_000);

  it.each([
    ['in strips', {}],
    ['in tiles', tiles],
    ['with big offsets', { bigtiff: true }],
  ])('a TIFF %s with a compression that libtiff lacks is refused by its name', async (_what, options) => {
    for (const compression of [6, 34712, 50000]) {
      expect(await verdict(await named(compression, options))).toMatch(
        new RegExp(`^expected a TIFF that is uncompressed or .*, got the compression ${compression}$`),
      );
    }
  });

  it.each([
    [0xc5, 8, 'expected a JPEG that is not differential, got one that is'],
    [0xcb, 8, 'expected a JPEG that is not lossless with arithmetic coding, got one that is'],
    [0xc1, 12, 'expected a JPEG with 8 bits a channel, got 12'],
  ])('a JPEG with the frame 0x%x and %i bits is refused: %s', async (frame, bits, reason) => {
    const jpeg = await picture().jpeg().toBuffer();
    const at = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
    jpeg[at + 1] = frame;
    jpeg[at + 4] = bits;
    expect(await verdict(jpeg)).toBe(reason);
  });

  it('a JPEG whose height comes after its pixels is refused', async () => {
    const jpeg = await picture().jpeg().toBuffer();
    jpeg.writeUInt16BE(0, jpeg.indexOf(Buffer.from([0xff, 0xc0])) + 5);
    expect(await verdict(jpeg)).toContain('height');
  });
});

describe('the tiles of a TIFF', () => {
  const compressions = ['deflate', 'lzw', 'webp', 'jpeg'] as const;

  it.each(compressions)('a damaged tile with %s is refused, and not shown as black', async (compression) => {
    const tiff = await picture()
      .tiff({ ...tiles, compression })
      .toBuffer();
    expect(await decode(tiff)).toHaveLength(1);
    tiff.fill(0xff, 3000, 6000);
    await expect(decode(tiff)).rejects.toThrow('the picture is damaged');
  });

  it.each([305, 65_000])('a text without its end in the tag %i does not make it damaged', async (tag) => {
    for (const bigtiff of [false, true]) {
      const tiff = await picture()
        .tiff({ ...tiles, compression: 'deflate', bigtiff })
        .toBuffer();
      const [plain] = await decode(tiff);
      withText(tiff, tag);
      expect((await decode(tiff))[0]?.data.equals(plain?.data ?? Buffer.of())).toBe(true);
    }
  });
});

/** Replaces the horizontal resolution, or the last tag, by a text that does not end with a NUL. */
function withText(tiff: Buffer, tag: number): void {
  const entries = readEntries(tiff);
  const at = (tag < 700 ? entries.find((each) => each.tag === 296) : entries.at(-1))?.at ?? Number.NaN;
  const { entry, inline } = tiffForm(tiff);
  tiff.writeUInt16LE(tag, at);
  tiff.writeUInt16LE(2, at + 2);
  tiff.writeUInt32LE(3, at + 4);
  tiff.write('abc', at + entry - inline, 'latin1');
}
