import { readFile } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { rabbitMQEvent, recordingPublisher } from 'warren/testing';
import { createHandler } from '../../../functions/pictures/resize.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { defaultVariants } from '../../../shared/pictures/image/settings.ts';
import { storageSettings } from '../../../shared/storage/settings.ts';
import { createStorage } from '../../../shared/storage/storage.ts';
import { dropLetters, unique } from '../../support/broker.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';
import { messageEvent } from '../../support/events.ts';
import { bomb, difference, plain, thumbnail } from '../../support/pictures.ts';
import { stack } from '../../support/stack.ts';

const maxBytes = 10_000_000;

describe('resize-picture', () => {
  const deps = openDeps();
  afterAll(() => deps.close());

  const resize = async (original: Buffer | undefined, extension = 'jpg') => {
    const image_id = uniqueId();
    const image_path = `originals/${image_id}.${extension}`;
    if (original) await deps.storage.put(image_path, original, 'application/octet-stream');
    const publisher = recordingPublisher();
    const copies = publisher.published;
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
    const object = await deps.storage.get(key, maxBytes);
    if (!object) throw new Error(`no object ${key}`);
    return object.body;
  };

  it('makes four widths in two formats, upright, without metadata and the right way up', async () => {
    const original = await readFile('assets/demo.jpg');
    const { picture, variants, copies } = await resize(original);
    expect(copies).toEqual([]);
    expect(picture).toMatchObject({
      status: 'ready',
      reason: null,
      width: 4000,
      height: 2250,
      content_type: 'image/jpeg',
      bytes: original.length,
    });
    expect(variants.map(({ width, height, format }) => `${width}x${height} ${format}`)).toEqual([
      '160x90 jpeg',
      '160x90 webp',
      '320x180 jpeg',
      '320x180 webp',
      '800x450 jpeg',
      '800x450 webp',
      '1600x900 jpeg',
      '1600x900 webp',
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

  it('writes the same objects and rows for repeated and concurrent deliveries', async () => {
    const { variants, again, read } = await resize(await plain(400, 300).png().toBuffer(), 'png');
    const loadAll = () => Promise.all(variants.map(({ key }) => load(key)));
    const objects = await loadAll();
    await Promise.all([again(), again()]);
    expect((await read()).variants).toEqual(variants);
    expect((await read()).picture).toMatchObject({ status: 'ready' });
    expect(await loadAll()).toEqual(objects);
    expect(variants).toHaveLength(6);
  });

  it('stores variants that browsers may cache for a year, and a placeholder', async () => {
    const { picture, variants } = await resize(await plain(200, 100, '#c82814').png().toBuffer(), 'png');
    for (const { key } of variants) {
      const response = await fetch(await deps.storage.url(key), { method: 'GET' });
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    }
    expect(picture.color).toBe('#c82814');
    expect(Buffer.from(picture.thumbhash ?? '', 'base64').length).toBeGreaterThan(4);
  });

  it('the state is `resizing` meanwhile, except for a picture that was ready before', async () => {
    const seen: string[] = [];
    const image_id = uniqueId();
    const body = { image_id, user_id: 1, image_path: `originals/${image_id}.png` };
    await deps.storage.put(body.image_path, await plain(50, 50).png().toBuffer(), 'image/png');
    const statusOf = () =>
      deps.db.selectFrom('pictures').select('status').where('id', '=', image_id).executeTakeFirstOrThrow();
    const get: typeof deps.storage.get = async (...args) => {
      seen.push((await statusOf()).status);
      return deps.storage.get(...args);
    };
    const handler = createHandler({ ...deps, storage: { ...deps.storage, get } });
    await handler(messageEvent('resize-picture', body));
    await handler(messageEvent('resize-picture', body));
    expect(seen).toEqual(['resizing', 'ready']);
  });

  it('leaves no object of a picture that is deleted before or during the work', async () => {
    const image_id = uniqueId();
    const body = { image_id, user_id: 1, image_path: `originals/${image_id}.png` };
    await deps.storage.put(body.image_path, await plain(50, 50).png().toBuffer(), 'image/png');
    const stored: string[] = [];
    const put: typeof deps.storage.put = async (...args) => {
      stored.push(args[0]);
      await deps.storage.put(...args);
      await deps.db
        .updateTable('pictures')
        .set({ deleted_at: new Date() })
        .where('id', '=', image_id)
        .execute();
    };
    const publisher = recordingPublisher();
    const copies = publisher.published;
    const handler = createHandler({ ...deps, publisher, storage: { ...deps.storage, put } });
    const left = () => deps.storage.list(`pictures/${image_id}/`);
    await handler(messageEvent('resize-picture', body));
    expect(stored).toHaveLength(2);
    expect(await left()).toEqual([]);
    // An interrupted delivery may have left this object.
    await deps.storage.put(`pictures/${image_id}/left-over.webp`, Buffer.from('x'), 'image/webp');
    await handler(messageEvent('resize-picture', body));
    expect([await left(), stored.length, copies]).toEqual([[], 2, []]);
    const rows = await deps.db
      .selectFrom('variants')
      .selectAll()
      .where('picture_id', '=', image_id)
      .execute();
    expect(rows).toEqual([]);
  });

  it('writes other keys only for other settings', async () => {
    const { picture, variants, read } = await resize(await plain(200, 100).png().toBuffer(), 'png');
    const { id: image_id, image_path } = picture;
    const settings = { ...defaultVariants, quality: { ...defaultVariants.quality, webp: 50 } };
    const event = messageEvent('resize-picture', { image_id, user_id: 1, image_path });
    await createHandler({ ...deps, settings })(event);
    const keysOf = (rows: typeof variants, format: string) =>
      rows.filter((row) => row.format === format).map(({ key }) => key);
    const now = (await read()).variants;
    expect(keysOf(now, 'jpeg')).toEqual(keysOf(variants, 'jpeg'));
    expect(keysOf(now, 'webp').filter((key) => keysOf(variants, 'webp').includes(key))).toEqual([]);
  });

  it('makes new variants with other keys if the original has changed', async () => {
    const { picture, variants, again, read } = await resize(await plain(400, 300).png().toBuffer(), 'png');
    await deps.storage.put(picture.image_path, await plain(200, 100, 'red').png().toBuffer(), 'image/png');
    await again();
    const now = await read();
    expect(now.picture).toMatchObject({ status: 'ready', width: 200, height: 100 });
    expect(now.variants.map(({ width, height }) => `${width}x${height}`)).toEqual([
      '160x80',
      '160x80',
      '200x100',
      '200x100',
    ]);
    const before = new Set(variants.map(({ key }) => key));
    expect(now.variants.filter(({ key }) => before.has(key))).toEqual([]);
  });

  it('a picture stays ready if its message comes again and the original is gone', async () => {
    const { picture, again, read } = await resize(await plain(100, 100).png().toBuffer(), 'png');
    await deps.storage.remove(picture.image_path);
    await again();
    expect((await read()).picture).toMatchObject({ status: 'ready', reason: null });
    expect((await read()).variants).not.toEqual([]);
  });

  it('clears the reason of a failure when the picture becomes ready', async () => {
    const { picture, again, read } = await resize(undefined, 'png');
    expect(picture).toMatchObject({ status: 'failed', reason: expect.any(String) });
    await deps.storage.put(picture.image_path, await plain(100, 100).png().toBuffer(), 'image/png');
    await again();
    expect((await read()).picture).toMatchObject({ status: 'ready', reason: null });
  });

  it('dead-letters a broken picture with the reason', async () => {
    const image_id = uniqueId();
    const body = { image_id, user_id: 1, image_path: `originals/${image_id}.jpg` };
    await deps.storage.put(body.image_path, Buffer.from('hello'), 'image/jpeg');
    const id = unique('resize');
    await createHandler(deps)(messageEvent('resize-picture', body, { messageId: id }));
    const [deadLetter] = await dropLetters({ id }, 1);
    expect(deadLetter).toMatchObject({ queue: 'resize-picture', reason: 'rejected', attempts: 1 });
    expect(deadLetter?.error).toMatch(/expected JPEG, PNG/);
    expect(JSON.parse(deadLetter?.body ?? '')).toEqual(body);
  });

  it('resizes the good pictures of a batch with bad ones', async () => {
    const ids = [uniqueId(), uniqueId(), uniqueId()];
    const bodies = ids.map((image_id) => ({ image_id, user_id: 1, image_path: `originals/${image_id}.png` }));
    for (const [index, { image_path }] of bodies.entries()) {
      const content = index === 1 ? Buffer.from('hello') : await plain(50, 50).png().toBuffer();
      await deps.storage.put(image_path, content, 'image/png');
    }
    const publisher = recordingPublisher();
    const copies = publisher.published;
    const batch = rabbitMQEvent(bodies.map((body) => ({ queue: 'resize-picture', body })));
    await createHandler({ ...deps, publisher })(batch);
    expect(copies.map(({ exchange }) => exchange)).toEqual(['warren.dead']);
    const rows = await deps.db
      .selectFrom('pictures')
      .select(['id', 'status'])
      .where('id', 'in', ids)
      .execute();
    const statuses = new Map(rows.map(({ id, status }) => [id, status]));
    expect(ids.map((id) => statuses.get(id))).toEqual(['ready', 'failed', 'ready']);
  });

  it.each([
    [500, [160, 320, 500]],
    [100, [100]],
    [1600, [160, 320, 800, 1600]],
  ])('makes no variant wider than an original of %d pixels', async (width, expected) => {
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
    ['a picture of 225 megapixels', async () => bomb(15_000, 15_000), 'at most 64 megapixels, got 15000 x'],
    ['a picture that is too high', async () => plain(10, 17_000).png().toBuffer(), '16383 pixels'],
  ])('%s is dead-lettered, and its owner gets the reason', async (_what, make, reason) => {
    const { picture, variants, copies } = await resize(await make());
    expect(picture).toMatchObject({ status: 'failed', reason: expect.stringContaining(reason) });
    expect(variants).toEqual([]);
    expect(copies).toMatchObject([{ exchange: 'warren.dead', routingKey: 'resize-picture' }]);
  });

  describe('while the storage is unavailable', () => {
    const unavailable = { ...stack, S3_ENDPOINT: 'http://127.0.0.1:9' };
    const storage = createStorage(readSettings({ storage: storageSettings }, unavailable).storage);
    const publisher = recordingPublisher();
    const copies = publisher.published;
    const handler = createHandler({ ...deps, storage, publisher });
    const message = () => ({ image_id: uniqueId(), user_id: 1, image_path: 'originals/123456.jpg' });
    const aDayAgo = {
      headers: { 'x-warren-first-failed-at': new Date(Date.now() - 86_400_000).toISOString() },
    };
    const read = (id: number) =>
      deps.db.selectFrom('pictures').select(['status', 'reason']).where('id', '=', id).executeTakeFirst();

    it('the message is retried later', async () => {
      const body = message();
      await handler(messageEvent('resize-picture', body));
      expect(copies.splice(0)).toMatchObject([
        { exchange: 'warren.retry', routingKey: 'resize-picture.retry.1s' },
      ]);
      expect(await read(body.image_id)).toEqual({ status: 'resizing', reason: null });
    });

    it('the owner gets a reason when the last retry fails', async () => {
      const body = message();
      await handler(messageEvent('resize-picture', body, aDayAgo));
      expect(copies.splice(0)).toMatchObject([{ exchange: 'warren.dead', routingKey: 'resize-picture' }]);
      expect(await read(body.image_id)).toEqual({
        status: 'failed',
        reason: expect.stringContaining('several'),
      });
    });

    it('a message that names another owner fails no picture', async () => {
      const body = message();
      await handler(messageEvent('resize-picture', body));
      await handler(messageEvent('resize-picture', { ...body, user_id: 2 }));
      expect(copies.splice(0)).toMatchObject([{}, { exchange: 'warren.dead' }]);
      expect(await read(body.image_id)).toEqual({ status: 'resizing', reason: null });
    });
  });
});
