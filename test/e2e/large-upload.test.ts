import { randomBytes } from 'node:crypto';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UnavailableError } from '../../runtime/base/errors.ts';
import { silentLog } from '../../runtime/base/log.ts';
import { effectsOn } from '../../shared/database/effects.ts';
import { announcement } from '../../shared/pictures/contracts.ts';
import { plain } from '../support/pictures.ts';
import { type System, startSystem } from '../support/system.ts';

const patience = { timeout: 60_000, interval: 200 };

describe('a large upload under serverless offline', () => {
  let system: System;
  let picture: Buffer;
  let ready: number;

  beforeAll(async () => {
    system = await startSystem();
    // Noise can't be compressed: far above what POST /pictures takes.
    const size = { width: 1800, height: 1200, channels: 3 as const };
    const noise = randomBytes(size.width * size.height * size.channels);
    picture = await sharp(noise, { raw: size }).png().toBuffer();
  }, 300_000);
  afterAll(() => system?.remove(), 120_000);

  const json = async (path: string, init: RequestInit = {}) => {
    const response = await system.http(path, init);
    const text = await response.text();
    return {
      status: response.status,
      body: text ? (JSON.parse(text) as Record<string, unknown>) : undefined,
    };
  };
  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    json(path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    });

  it('is led there by the 413 of a direct one, put into the bucket from another origin, and resized', async () => {
    const form = new FormData();
    form.set('picture', new Blob([picture]), 'noise.png');
    const direct = await json('/pictures', { method: 'POST', body: form });
    expect(direct).toMatchObject({ status: 413, body: { uploads: '/uploads' } });

    const asked = await post('/uploads', { content_type: 'image/png', bytes: picture.length });
    expect(asked.status).toBe(201);
    const { image_id, upload, complete } = asked.body as {
      image_id: number;
      upload: { url: string; method: string; headers: Record<string, string> };
      complete: string;
    };
    ready = image_id;
    expect((await json(`/pictures/${image_id}`)).body).toMatchObject({ status: 'awaiting' });
    expect((await post(complete, {})).status).toBe(409);

    // What a browser does for a page of ours.
    const origin = system.env.HTTP_URL;
    const asks = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'content-type' };
    const preflight = await fetch(upload.url, { method: 'OPTIONS', headers: { origin, ...asks } });
    expect(preflight.ok).toBe(true);
    const stored = await fetch(upload.url, {
      method: upload.method,
      body: picture,
      headers: { origin, ...upload.headers },
    });
    expect(stored.status).toBe(200);

    const finish = async () => (await post(complete, {}, { 'idempotency-key': 'one' })).status;
    // One of them processes it; the others get its answer or a conflict.
    for (const status of await Promise.all([finish(), finish(), finish()]))
      expect([202, 409]).toContain(status);
    expect(await finish()).toBe(202);
    await expect
      .poll(async () => (await json(`/pictures/${image_id}`)).body, patience)
      .toMatchObject({
        status: 'ready',
        width: 1800,
        height: 1200,
        points: 10,
        srcset: { webp: expect.stringMatching(/^http\S+ 160w, .*http\S+ 1600w$/) },
      });
    expect((await json('/pictures')).body).toMatchObject({
      pictures: [{ image_id, status: 'ready' }],
      next: null,
    });
  });

  it('of something else is refused', async () => {
    const text = Buffer.from('not a picture at all');
    const { body } = await post('/uploads', { content_type: 'image/jpeg', bytes: text.length });
    const { upload, complete } = body as { upload: { url: string }; complete: string };
    await fetch(upload.url, { method: 'PUT', body: text, headers: { 'content-type': 'image/jpeg' } });
    expect(await post(complete, {})).toMatchObject({ status: 422 });
    const { pictures } = (await json('/pictures')).body as { pictures: { status: string }[] };
    // The newest is the one that is still awaited.
    expect(pictures.map(({ status }) => status)).toEqual(['awaiting', 'ready']);
  });

  it('is deleted, with all that was made of it', async () => {
    expect((await json(`/pictures/${ready}`, { method: 'DELETE' })).status).toBe(204);
    expect((await json(`/pictures/${ready}`)).status).toBe(404);
    expect((await json('/users/1/points')).body).toMatchObject({ balance: 0 });
    expect(await system.storage.list(`pictures/${ready}/`)).toEqual([]);
  });

  it('that was stored while the broker was unavailable is announced by the schedule', async () => {
    const small = await plain(300, 200).png().toBuffer();
    await system.storage.put('originals/by-schedule.png', small, 'image/png');
    const row = { id: 2_000_000_000, user_id: 3, image_path: 'originals/by-schedule.png' };
    const unavailable = { publish: () => Promise.reject(new UnavailableError('broker', 'down')) };
    const effects = effectsOn(system.db, { publisher: unavailable, log: silentLog });
    await effects.transaction(async ({ db, publish }) => {
      const values = { ...row, announced_at: new Date() };
      await db.insertInto('pictures').values(values).execute();
      publish(announcement({ image_id: row.id, ...row }));
    });
    const read = async () => (await (await system.http(`/pictures/${row.id}`, {}, '3')).json()) as object;
    await expect
      .poll(read, { timeout: 90_000, interval: 500 })
      .toMatchObject({ status: 'ready', points: 10 });
  }, 100_000);

  it('mails a link that unsubscribes, with a click or by the mail program', async () => {
    const link = async () =>
      /http\S+\/unsubscribe\?token=\S+/.exec((await system.mails()).map(({ text }) => text).join('\n'))?.[0];
    await expect.poll(link, patience).toBeDefined();
    const url = (await link()) ?? '';
    const page = await fetch(url);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<form method="post">')]);
    const unsubscribed = await fetch(url, {
      method: 'POST',
      body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }),
    });
    expect([unsubscribed.status, await unsubscribed.text()]).toEqual([
      200,
      expect.stringContaining('You have unsubscribed'),
    ]);
    const rows = system.db.selectFrom('users').select('id').where('picture_mails', '=', false);
    expect(await rows.execute()).toHaveLength(1);
  });
});
