import { readFile } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import { thumbHashToRGBA } from 'thumbhash';
import { describe, expect, it } from 'vitest';
import { inspect } from '../../../../shared/pictures/image/inspect.ts';
import { readScans } from '../../../../shared/pictures/image/scans.ts';
import { defaultVariants } from '../../../../shared/pictures/image/settings.ts';
import { makeVariants, type Variant } from '../../../../shared/pictures/image/variants.ts';
import {
  animation,
  bomb,
  difference,
  foreignFiles,
  noise,
  pixel,
  plain,
  quarters,
  thumbnail,
  withComment,
} from '../../../support/pictures.ts';

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
  it.each([1, 2, 3, 4])('returns the stored size for orientation %d', async (orientation) => {
    const body = await plain(30, 20).jpeg().withMetadata({ orientation }).toBuffer();
    expect(await inspect(body)).toEqual({ type: 'image/jpeg', width: 30, height: 20 });
  });

  it.each([5, 6, 7, 8])('returns the rotated size for orientation %d', async (orientation) => {
    const body = await plain(30, 20).jpeg().withMetadata({ orientation }).toBuffer();
    expect(await inspect(body)).toEqual({ type: 'image/jpeg', width: 20, height: 30 });
  });

  it.each(Object.entries(foreignFiles))('refuses %s', async (_what, body) => {
    await expect(inspect(body)).rejects.toMatchObject(rejected(/^expected JPEG, PNG/));
  });

  it('refuses a JPEG with a header of two bytes', async () => {
    await expect(inspect(Buffer.from([0xff, 0xd8, 0xff, 0xe0]))).rejects.toMatchObject(rejected(/decoded/));
  });

  it.each([
    [10_001, 6400, /^expected at most 64 megapixels, got 10001 x 6400 pixels$/],
    [16_000, 16_000, /megapixels/],
    [16_384, 1, /^expected at most 16383 pixels a side, got 16384 x 1$/],
    [20_000, 20_000, /pixels a side/],
    [2 ** 31 - 1, 2 ** 31 - 1, /./],
  ])('refuses a picture of %d x %d without decoding it', async (width, height, reason) => {
    const giant = bomb(width, height);
    expect(giant.length).toBeLessThan(100_000);
    const [before, startedAt] = [process.memoryUsage().rss, performance.now()];
    await expect(inspect(giant)).rejects.toMatchObject(rejected(reason));
    // Most of them have 256 MB and more when decoded.
    expect(process.memoryUsage().rss - before).toBeLessThan(64_000_000);
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });

  it('accepts the largest picture within the limits', async () => {
    expect(await inspect(bomb(10_000, 6400))).toEqual({ type: 'image/png', width: 10_000, height: 6400 });
  });
});

describe('makeVariants', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('rotates orientation %d as a viewer does', async (orientation) => {
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

  it('variants contain neither place nor camera of a picture', async () => {
    const body = await readFile('assets/demo.jpg');
    const { exif } = await sharp(body).metadata();
    // The original contains it.
    expect(exif?.length).toBeGreaterThan(100);
    for (const variant of await makeAll(body)) {
      const text = variant.body.toString('latin1');
      for (const mark of ['Exif', 'EXIF', 'ICC_PROFILE', 'ICCP', 'http://ns.adobe.com', 'XMP ']) {
        expect(text.includes(mark), `${variant.format} ${variant.width}: ${mark}`).toBe(false);
      }
    }
  });

  it.each(['gif', 'webp'] as const)(
    'keeps a %s moving in WebP, and shows its first frame in JPEG',
    async (format) => {
      const body = await animation(['red', 'lime', 'blue'], 200, 100, format);
      expect(await inspect(body)).toMatchObject({ width: 200, height: 100 });
      const variants = await makeAll(body);
      expect(variants).toHaveLength(4);
      for (const width of [160, 200]) {
        const webp = only(variants, 'webp', width).body;
        expect(await sharp(webp).metadata()).toMatchObject({
          pages: 3,
          delay: [100, 200, 300],
          loop: 3,
          width,
        });
        for (const [page, channel] of [0, 1, 2].entries()) {
          const frame = await sharp(webp, { page }).png().toBuffer();
          const values = await pixel(frame, 10, 0);
          expect(values[channel], `frame ${page} of ${width}`).toBeGreaterThan(240);
          expect(values.slice(0, 3).filter((value) => value < 15)).toHaveLength(2);
        }
        const jpeg = only(variants, 'jpeg', width).body;
        expect((await sharp(jpeg).metadata()).pages).toBeUndefined();
        const [red = 0, green = 255] = await pixel(jpeg, 80, 40);
        expect([red > 240, green < 15]).toEqual([true, true]);
      }
    },
  );

  it.each([
    ['frames', 101, 8, 8],
    ['pixels in all', 70, 1000, 1000],
  ])('shows the first frame of an animation with too many %s', async (_what, frames, width, height) => {
    const colours = Array.from({ length: frames }, (_, index) => (index % 2 ? 'blue' : 'red'));
    const variants = await makeAll(await animation(colours, width, height, 'gif'));
    const { body } = only(variants, 'webp', Math.min(width, 160));
    expect((await sharp(body).metadata()).pages).toBeUndefined();
    const [red = 0, , blue = 255] = await pixel(body, 4, 4);
    expect([red > 240, blue < 15]).toEqual([true, true]);
  });

  it('makes the same bytes each time', async () => {
    for (const body of [await readFile('assets/demo.jpg'), await animation(['red', 'blue'], 90, 60, 'gif')]) {
      const byName = (variants: Variant[]) =>
        new Map(
          variants.map((variant) => [`${variant.width} ${variant.format}`, variant.body.toString('base64')]),
        );
      expect(byName(await makeAll(body))).toEqual(byName(await makeAll(body)));
    }
  });

  it('makes the widths and formats of the settings', async () => {
    const variants: Variant[] = [];
    const body = await quarters(400, 200);
    const settings = { ...defaultVariants, widths: [50, 300], formats: ['avif' as const] };
    await makeVariants(body, await inspect(body), async (each) => void variants.push(each), { settings });
    expect(variants.map(({ width, height, format }) => `${width}x${height} ${format}`)).toEqual([
      '300x150 avif',
      '50x25 avif',
    ]);
    for (const variant of variants) {
      expect(await sharp(variant.body).metadata()).toMatchObject({ format: 'heif', compression: 'av1' });
      expect(difference(await thumbnail(sharp(variant.body)), await thumbnail(sharp(body)))).toBeLessThan(8);
    }
  });

  it('the placeholder resembles the picture, with its main color', async () => {
    const body = await sharp(await plain(300, 200, { r: 200, g: 40, b: 20 }).png().toBuffer())
      .composite([{ input: await plain(80, 200, 'white').png().toBuffer(), left: 0, top: 0 }])
      .png()
      .toBuffer();
    const { thumbhash, color } = await makeVariants(body, await inspect(body), async () => undefined);
    expect(color).toBe('#c82814');
    const { w, h, rgba } = thumbHashToRGBA(Buffer.from(thumbhash, 'base64'));
    expect(w / h).toBeCloseTo(1.5, 0);
    const at = (x: number) => [...rgba.subarray((Math.floor(h / 2) * w + x) * 4).subarray(0, 3)];
    expect(Math.min(...at(1))).toBeGreaterThan(180);
    const [red = 0, green = 255] = at(w - 2);
    expect(red - green).toBeGreaterThan(100);
  });

  it('a fully transparent picture has the color white', async () => {
    const body = await plain(20, 20, { r: 9, g: 9, b: 9, alpha: 0 }).png().toBuffer();
    const placeholder = await makeVariants(body, await inspect(body), async () => undefined);
    expect(placeholder.color).toBe('#ffffff');
  });

  it('a picture that takes too long is rejected with that reason', async () => {
    const body = await noise(2000, 1500).jpeg({ progressive: true }).toBuffer();
    const made = makeVariants(body, await inspect(body), async () => undefined, { seconds: 0.005 });
    await expect(made).rejects.toMatchObject(rejected(/^the picture takes more than 0.005 seconds/));
  });

  it('a JPEG whose header claims ten times its height has that height, within the limits', async () => {
    const body = await noise(300, 200).jpeg().toBuffer();
    const sizeAt = body.indexOf(Buffer.from([0xff, 0xc0])) + 5;
    body.writeUInt16BE(16_000, sizeAt);
    expect(await inspect(body)).toMatchObject({ width: 300, height: 16_000 });
    body.writeUInt16BE(65_000, sizeAt);
    await expect(inspect(body)).rejects.toMatchObject(rejected(/pixels a side, got 300 x 65000/));
  });

  it.each([
    ['a page of HTML in its comment', (body: Buffer, html: Buffer) => withComment(body, html)],
    ['a page of HTML at its end', (body: Buffer, html: Buffer) => Buffer.concat([body, html])],
  ])('removes %s', async (_what, combine) => {
    const html = Buffer.from('<html><script>alert(document.cookie)</script></html>');
    const body = combine(await noise(60, 40).jpeg().toBuffer(), html);
    expect(body.includes('<script>')).toBe(true);
    const variants = await makeAll(body);
    expect(variants).toHaveLength(2);
    expect(variants.filter((variant) => variant.body.includes('<script>'))).toEqual([]);
  });

  it('refuses a script that begins like a GIF', async () => {
    const body = Buffer.from('GIF89a/*\0\0\0\0\0*/=1;alert(1)//', 'latin1');
    await expect(inspect(body)).rejects.toMatchObject(rejected(/decoded/));
  });

  it('refuses a JPEG with too many scans before decoding it', async () => {
    const body = await noise(600, 400).jpeg({ progressive: true }).toBuffer();
    const last = body.subarray(body.lastIndexOf(Buffer.from([0xff, 0xda])), -2);
    const bomb = Buffer.concat([body.subarray(0, -2), ...Array<Buffer>(120).fill(last), body.subarray(-2)]);
    expect(readScans(bomb).scans - readScans(body).scans).toBe(120);
    await expect(inspect(bomb)).rejects.toMatchObject(rejected(/at most 100 scans/));
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
  ])('keeps the colors of %s', async (_what, encode) => {
    const body = await encode(sharp(await quarters(200, 100))).toBuffer();
    const seen = await thumbnail(sharp(body).autoOrient());
    for (const variant of await makeAll(body)) {
      expect(difference(await thumbnail(sharp(variant.body)), seen)).toBeLessThan(6);
    }
    const [red = 0, green = 255] = await pixel(only(await makeAll(body), 'webp', 200).body, 40, 20);
    expect([red > 200, green < 80]).toEqual([true, true]);
  });

  it('makes at least one line of a very wide picture', async () => {
    const variants = await makeAll(await plain(4000, 1).png().toBuffer());
    expect(variants.map(({ width, height }) => `${width}x${height}`)).toEqual(
      [1600, 1600, 800, 800, 320, 320, 160, 160].map((width) => `${width}x1`),
    );
  });

  it('makes one pixel from one pixel', async () => {
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
  ])('refuses a %s without its second half', async (_what, encode) => {
    const noise = sharp({
      create: {
        width: 300,
        height: 300,
        channels: 3,
        background: 'white',
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    });
    const whole = await encode(noise).toBuffer();
    const half = whole.subarray(0, whole.length / 2);
    await expect(makeAll(half)).rejects.toMatchObject({ code: 'ERR_REJECTED' });
  });

  it('throws the error of the callback that takes a variant', async () => {
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
  ])('do not open %s', async (_what, body) => {
    await expect(sharp(body).metadata()).rejects.toThrow(/unsupported|block/i);
  });

  it('do not open files by name', async () => {
    await expect(sharp('assets/demo.jpg').metadata()).rejects.toThrow(/unsupported|block/i);
  });
});
