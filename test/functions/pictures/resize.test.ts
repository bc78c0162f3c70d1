import { readFile } from 'node:fs/promises';
import { deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { createHandler } from '../../../functions/pictures/resize.ts';
import { readConfig } from '../../../shared/config.ts';
import { createStorage } from '../../../shared/storage.ts';
import { openDeps, recorder, uniqueId } from '../../deps.ts';
import { messageEvent } from '../../events.ts';
import { stack } from '../../stack.ts';

const mostBytes = 10_000_000;

describe('resize-picture', () => {
  const deps = openDeps();
  afterAll(() => deps.close());

  const resize = async (original: Buffer | undefined, extension = 'jpg') => {
    const image_id = uniqueId();
    const image_path = `originals/${image_id}.${extension}`;
    if (original) await deps.storage.put(image_path, original, 'application/octet-stream');
    const { copies, publisher } = recorder();
    const handler = createHandler({ ...deps, publisher });
    const event = messageEvent('resize-picture', { image_id, user_id: 1, image_path });
    await handler(event);
    const read = async () => ({
      picture: await deps.db
        .selectFrom('pictures')
        .selectAll()
        .where('id', '=', image_id)
        .executeTakeFirstOrThrow(),
      variants: await deps.db
        .selectFrom('variants')
        .selectAll()
        .where('picture_id', '=', image_id)
        .orderBy('width')
        .orderBy('format')
        .execute(),
    });
    return { copies, again: () => handler(event), read, ...(await read()) };
  };

  const load = async (key: string): Promise<Buffer> => {
    const object = await deps.storage.get(key, mostBytes);
    if (!object) throw new Error(`no object ${key}`);
    return object.body;
  };

  it('makes four widths in two formats, upright, without metadata and the right way up', async () => {
    const original = await readFile('assets/demo.jpg');
    const { picture, variants, copies } = await resize(original);
    expect(copies).toEqual([]);
    expect(picture).toMatchObject({
      ...{ status: 'ready', reason: null, width: 4000, height: 2250 },
      ...{ content_type: 'image/jpeg', bytes: original.length },
    });
    expect(variants.map(({ width, height, format }) => `${width}x${height} ${format}`)).toEqual([
      ...['160x90 jpeg', '160x90 webp', '320x180 jpeg', '320x180 webp'],
      ...['800x450 jpeg', '800x450 webp', '1600x900 jpeg', '1600x900 webp'],
    ]);
    const upright = await thumbnail(sharp(original).autoOrient());
    for (const { key, width, height, format, bytes } of variants) {
      const body = await load(key);
      const found = await sharp(body).metadata();
      expect(found).toMatchObject({ width, height, format });
      expect(body.length).toBe(bytes);
      expect([found.exif, found.icc, found.xmp, found.iptc, found.orientation]).toEqual(
        Array(5).fill(undefined),
      );
      expect(difference(await thumbnail(sharp(body)), upright)).toBeLessThan(4);
    }
  });

  it('does the same work again when the message comes again', async () => {
    const { variants, again, read } = await resize(await plain(400, 300).png().toBuffer(), 'png');
    await again();
    expect((await read()).variants).toEqual(variants);
    expect(variants).toHaveLength(6);
  });

  it.each([
    [500, [160, 320, 500]],
    [100, [100]],
    [1600, [160, 320, 800, 1600]],
  ])('makes nothing wider than an original of %d pixels', async (width, expected) => {
    const { variants } = await resize(await plain(width, 50).png().toBuffer(), 'png');
    expect(variants.filter(({ format }) => format === 'webp').map((variant) => variant.width)).toEqual(
      expected,
    );
  });

  it('keeps transparency in WebP and puts JPEG on white', async () => {
    const clear = { r: 0, g: 0, b: 0, alpha: 0 };
    const png = await sharp({ create: { width: 20, height: 20, channels: 4, background: clear } })
      .png()
      .toBuffer();
    const { variants } = await resize(png, 'png');
    const pixel = async (format: string) => {
      const key = variants.find((variant) => variant.format === format)?.key ?? '';
      const { data, info } = await sharp(await load(key))
        .raw()
        .toBuffer({ resolveWithObject: true });
      return [...data.subarray(0, info.channels)];
    };
    expect((await pixel('webp'))[3]).toBe(0);
    expect(await pixel('jpeg')).toEqual([255, 255, 255]);
  });

  it.each([
    ['GIF', (image: Sharp) => image.gif()],
    ['WebP', (image: Sharp) => image.webp()],
    ['AVIF', (image: Sharp) => image.avif({ effort: 0 })],
    ['TIFF', (image: Sharp) => image.tiff()],
    ['PNG of 16 bits', (image: Sharp) => image.toColourspace('rgb16').png()],
    ['grey PNG', (image: Sharp) => image.greyscale().png()],
    ['CMYK JPEG', (image: Sharp) => image.toColourspace('cmyk').jpeg()],
  ])('reads %s', async (_name, encode) => {
    const { picture, variants, copies } = await resize(await encode(plain(200, 100)).toBuffer(), 'bin');
    expect(copies).toEqual([]);
    expect(picture).toMatchObject({ status: 'ready', width: 200, height: 100 });
    expect(variants).toHaveLength(4);
    const body = await load(variants[0]?.key ?? '');
    expect(await sharp(body).metadata()).toMatchObject({ space: 'srgb', depth: 'uchar' });
  });

  it.each([
    ['a text file', async () => Buffer.from('hello'), 'expected JPEG'],
    [
      'an SVG',
      async () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      'expected JPEG',
    ],
    ['a truncated JPEG', async () => (await readFile('assets/demo.jpg')).subarray(0, 300_000), 'damaged'],
    ['nothing in the bucket', async () => undefined, 'is not in the bucket'],
    ['a picture of 400 megapixels', async () => bomb(20_000, 20_000), 'can not be decoded'],
    ['a picture that is too high', async () => plain(10, 17_000).png().toBuffer(), '16383 pixels'],
  ])('takes %s to the dead letters, and tells its owner why', async (_what, make, reason) => {
    const { picture, variants, copies } = await resize(await make());
    expect(picture).toMatchObject({ status: 'failed', reason: expect.stringContaining(reason) });
    expect(variants).toEqual([]);
    expect(copies).toMatchObject([{ exchange: 'warren.dead', routingKey: 'resize-picture' }]);
  });

  it('tries again later while the storage is away', async () => {
    const away = { ...stack, S3_ENDPOINT: 'http://127.0.0.1:9' };
    const storage = createStorage(readConfig(['storage'], away).storage);
    const { copies, publisher } = recorder();
    const image_id = uniqueId();
    const body = { image_id, user_id: 1, image_path: 'originals/123456.jpg' };
    await createHandler({ ...deps, storage, publisher })(messageEvent('resize-picture', body));
    expect(copies).toMatchObject([{ exchange: 'warren.retry.1s', routingKey: 'resize-picture' }]);
    const row = await deps.db
      .selectFrom('pictures')
      .select('status')
      .where('id', '=', image_id)
      .executeTakeFirst();
    expect(row).toEqual({ status: 'uploaded' });
  });
});

function plain(width: number, height: number): Sharp {
  return sharp({ create: { width, height, channels: 3, background: 'teal' } });
}

/** Pixels of a small form of a picture: what a viewer sees of it. */
async function thumbnail(image: Sharp): Promise<Buffer> {
  return sharp(await image.toColourspace('srgb').png().toBuffer())
    .resize(32, 18, { fit: 'fill' })
    .removeAlpha()
    .raw()
    .toBuffer();
}

/** Mean difference of two pictures' values, of 255. */
function difference(one: Buffer, other: Buffer): number {
  const sum = one.reduce((total, value, index) => total + Math.abs(value - (other[index] ?? 0)), 0);
  return sum / one.length;
}

/** A PNG of one colour: a small file, and a giant when it is decoded. */
function bomb(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([1, 0, 0, 0, 0], 8);
  const rows = deflateSync(Buffer.alloc((1 + Math.ceil(width / 8)) * height));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** PNG's checksum; Node 20 has none of its own. */
function crc32(data: Buffer): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
