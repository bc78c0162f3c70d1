import { readFile } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { inspect } from '../../../shared/image/inspect.ts';
import { makeVariants, type Variant } from '../../../shared/image/variants.ts';
import { bomb, difference, foreignFiles, pixel, plain, quarters, thumbnail } from '../../pictures.ts';

const rejected = (reason: RegExp) => ({
  code: 'ERR_REJECTED',
  message: expect.stringMatching(reason),
});

const makeAll = async (body: Buffer): Promise<Variant[]> => {
  const variants: Variant[] = [];
  await makeVariants(body, await inspect(body), async (variant) => void variants.push(variant));
  return variants;
};

const only = (variants: Variant[], format: Variant['format'], width?: number): Variant => {
  const found = variants.find((each) => each.format === format && (width ?? each.width) === each.width);
  if (!found) throw new Error(`no ${format}`);
  return found;
};

describe('inspect', () => {
  it.each([1, 2, 3, 4])('gives the size of orientation %d as it is stored', async (orientation) => {
    const body = await plain(30, 20).jpeg().withMetadata({ orientation }).toBuffer();
    expect(await inspect(body)).toEqual({ type: 'image/jpeg', width: 30, height: 20 });
  });

  it.each([5, 6, 7, 8])('gives the size of orientation %d turned', async (orientation) => {
    const body = await plain(30, 20).jpeg().withMetadata({ orientation }).toBuffer();
    expect(await inspect(body)).toEqual({ type: 'image/jpeg', width: 20, height: 30 });
  });

  it.each(Object.entries(foreignFiles))('refuses %s', async (_what, body) => {
    await expect(inspect(body)).rejects.toMatchObject(rejected(/^expected JPEG, PNG/));
  });

  it('refuses a JPEG of two bytes of header', async () => {
    await expect(inspect(Buffer.from([0xff, 0xd8, 0xff, 0xe0]))).rejects.toMatchObject(rejected(/decoded/));
  });

  it.each([
    [8001, 8000, /^expected at most 50 megapixels, got 8001 x 8000 pixels$/],
    [16_000, 16_000, /megapixels/],
    [16_384, 1, /^expected at most 16383 pixels a side, got 16384 x 1$/],
    [20_000, 20_000, /pixels a side/],
    [2 ** 31 - 1, 2 ** 31 - 1, /./],
  ])('refuses a picture of %d x %d at once, without decoding it', async (width, height, reason) => {
    const giant = bomb(width, height);
    expect(giant.length).toBeLessThan(100_000);
    const [before, startedAt] = [process.memoryUsage().rss, performance.now()];
    await expect(inspect(giant)).rejects.toMatchObject(rejected(reason));
    // Decoded, most have 256 MB and more.
    expect(process.memoryUsage().rss - before).toBeLessThan(64_000_000);
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });

  it('takes the largest there may be', async () => {
    expect(await inspect(bomb(8000, 8000))).toEqual({ type: 'image/png', width: 8000, height: 8000 });
  });
});

describe('makeVariants', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('turns orientation %d as a viewer would', async (orientation) => {
    const body = await sharp(await quarters(60, 40))
      .jpeg({ quality: 95 })
      .withMetadata({ orientation })
      .toBuffer();
    const upright = await thumbnail(sharp(body).autoOrient());
    const variants = await makeAll(body);
    expect(variants).toHaveLength(2);
    for (const variant of variants) {
      expect(difference(await thumbnail(sharp(variant.body)), upright)).toBeLessThan(6);
      expect((await sharp(variant.body).metadata()).orientation).toBeUndefined();
    }
  });

  it('leaves nothing of where and with what a picture was taken', async () => {
    const body = await readFile('assets/demo.jpg');
    const { exif } = await sharp(body).metadata();
    // What is to be removed is there.
    expect(exif?.length).toBeGreaterThan(100);
    for (const variant of await makeAll(body)) {
      const text = variant.body.toString('latin1');
      for (const mark of ['Exif', 'EXIF', 'ICC_PROFILE', 'ICCP', 'http://ns.adobe.com', 'XMP ']) {
        expect(text.includes(mark), `${variant.format} ${variant.width}: ${mark}`).toBe(false);
      }
    }
  });

  it('shows the first frame of an animation', async () => {
    const frames = Buffer.concat(
      await Promise.all(['red', 'blue'].map((colour) => plain(20, 20, colour).raw().toBuffer())),
    );
    const gif = await sharp(frames, { raw: { width: 20, height: 40, channels: 3, pageHeight: 20 } })
      .gif({ delay: [100, 100] })
      .toBuffer();
    expect((await sharp(gif).metadata()).pages).toBe(2);
    expect(await inspect(gif)).toMatchObject({ width: 20, height: 20 });
    const variants = await makeAll(gif);
    expect(variants.map(({ width, height }) => [width, height])).toEqual([
      [20, 20],
      [20, 20],
    ]);
    const [red = 0, green = 255, blue = 255] = await pixel(only(variants, 'webp').body, 10, 10);
    expect([red > 240, green < 15, blue < 15]).toEqual([true, true, true]);
  });

  it.each([
    ['RGB with alpha', (image: Sharp) => image.png()],
    ['a palette with alpha', (image: Sharp) => image.png({ palette: true })],
    ['16 bits with alpha', (image: Sharp) => image.toColourspace('rgb16').png()],
    ['grey with alpha', (image: Sharp) => image.toColourspace('b-w').png()],
    ['WebP with alpha', (image: Sharp) => image.webp({ lossless: true })],
    ['TIFF with alpha', (image: Sharp) => image.tiff({ compression: 'deflate' })],
  ])('keeps the transparency of %s in WebP, and puts JPEG on white', async (_what, encode) => {
    const clear = plain(40, 40, { r: 0, g: 0, b: 0, alpha: 0 });
    const body = await encode(
      clear.composite([{ input: await plain(20, 40, 'black').png().toBuffer(), left: 0, top: 0 }]),
    ).toBuffer();
    const variants = await makeAll(body);
    const webp = only(variants, 'webp').body;
    expect([(await pixel(webp, 5, 20))[3], (await pixel(webp, 35, 20))[3]]).toEqual([255, 0]);
    const jpeg = only(variants, 'jpeg').body;
    expect(Math.max(...(await pixel(jpeg, 4, 20)))).toBeLessThan(15);
    expect(Math.min(...(await pixel(jpeg, 36, 20)))).toBeGreaterThan(240);
  });

  it.each([
    ['PNG', (image: Sharp) => image.png()],
    ['PNG of 16 bits', (image: Sharp) => image.toColourspace('rgb16').png()],
    ['CMYK JPEG', (image: Sharp) => image.toColourspace('cmyk').jpeg({ quality: 95 })],
    ['JPEG in Display P3', (image: Sharp) => image.withIccProfile('p3').jpeg({ quality: 95 })],
    ['AVIF', (image: Sharp) => image.avif({ effort: 0, quality: 95 })],
    ['TIFF', (image: Sharp) => image.tiff()],
  ])('keeps the colours of %s', async (_what, encode) => {
    const body = await encode(sharp(await quarters(200, 100))).toBuffer();
    const seen = await thumbnail(sharp(body).autoOrient());
    for (const variant of await makeAll(body)) {
      expect(difference(await thumbnail(sharp(variant.body)), seen)).toBeLessThan(6);
    }
    const [red = 0, green = 255] = await pixel(only(await makeAll(body), 'webp', 200).body, 40, 20);
    expect([red > 200, green < 80]).toEqual([true, true]);
  });

  it('makes at least one line of a picture that is flat as a board', async () => {
    const variants = await makeAll(await plain(4000, 1).png().toBuffer());
    expect(variants.map(({ width, height }) => `${width}x${height}`)).toEqual(
      [1600, 1600, 800, 800, 320, 320, 160, 160].map((width) => `${width}x1`),
    );
  });

  it('makes one pixel of one pixel', async () => {
    const variants = await makeAll(await plain(1, 1).png().toBuffer());
    expect(variants.map(({ width, height }) => [width, height])).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });

  it.each([
    ['JPEG', (image: Sharp) => image.jpeg()],
    ['PNG', (image: Sharp) => image.png()],
    ['WebP', (image: Sharp) => image.webp({ lossless: true })],
    ['AVIF', (image: Sharp) => image.avif({ effort: 0 })],
    ['TIFF', (image: Sharp) => image.tiff({ compression: 'deflate' })],
    ['GIF', (image: Sharp) => image.gif()],
  ])('refuses a %s of which the second half is missing', async (_what, encode) => {
    const noise = sharp({
      create: {
        ...{ width: 300, height: 300, channels: 3, background: 'white' },
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    });
    const whole = await encode(noise).toBuffer();
    const half = whole.subarray(0, whole.length / 2);
    await expect(makeAll(half)).rejects.toMatchObject({ code: 'ERR_REJECTED' });
  });

  it('passes on what the taker of a variant throws', async () => {
    const body = await plain(50, 50).png().toBuffer();
    const full = new Error('the storage is full');
    const made = makeVariants(body, await inspect(body), () => Promise.reject(full));
    await expect(made).rejects.toBe(full);
  });
});

describe('the decoders', () => {
  it.each([
    ['an SVG', foreignFiles.svg],
    ['a PPM', Buffer.from('P6 1 1 255\n\u0001\u0002\u0003', 'latin1')],
    [
      'a Radiance picture',
      Buffer.from('#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n\u0001\u0002\u0003\u0004', 'latin1'),
    ],
  ])('do not open %s, whoever asks them', async (_what, body) => {
    await expect(sharp(body).metadata()).rejects.toThrow(/unsupported|block/i);
  });

  it('do not open files by their name', async () => {
    await expect(sharp('assets/demo.jpg').metadata()).rejects.toThrow(/unsupported|block/i);
  });
});
