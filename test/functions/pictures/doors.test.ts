import { sql } from 'kysely';
import { afterAll, describe, expect, it } from 'vitest';
import { httpEvent, recordingPublisher } from 'warren/testing';
import { createHandler as createComplete } from '../../../functions/pictures/complete.ts';
import { createHandler as createPresign } from '../../../functions/pictures/presign.ts';
import { createHandler as createResize } from '../../../functions/pictures/resize.ts';
import { createHandler as createUpload } from '../../../functions/pictures/upload.ts';
import { connectDatabase } from '../../../shared/database/database.ts';
import { examine } from '../../../shared/pictures/image/examine.ts';
import { objectOf } from '../../../shared/pictures/image/source.ts';
import { readPicture } from '../../../shared/pictures/reading.ts';
import { unique } from '../../support/broker.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context, form, messageEvent } from '../../support/events.ts';
import { fieldPictures } from '../../support/field-pictures.ts';
import { bomb, foreignFiles, plain } from '../../support/pictures.ts';
import { stack } from '../../support/stack.ts';

const deps = openDeps();
const publisher = recordingPublisher();
const given = { ...deps, publisher };
afterAll(() => deps.close());

const field = await fieldPictures();
const jpeg = await plain(64, 48).jpeg().toBuffer();
const pictures: Record<string, { type: string; content: Buffer }> = {
  ...field,
  'a photograph of 50 megapixels': { type: 'image/jpeg', content: await plain(8160, 6144).jpeg().toBuffer() },
  'another photograph of 50 megapixels': {
    type: 'image/jpeg',
    content: await plain(8192, 6144).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  },
};

const detailOf = (body = '{}') => (JSON.parse(body) as { detail?: string }).detail?.replace(/^[^:]+: /, '');

const direct = async (content: Buffer) => {
  const authorization = await bearer(uniqueId());
  const { statusCode, body } = await createUpload(given)(
    httpEvent({ ...form([{ content }]), authorization }),
    context,
  );
  return { statusCode, body };
};

const presigned = async (content: Buffer, content_type: string) => {
  const authorization = await bearer(uniqueId());
  const request = { content_type, bytes: content.length };
  const presign = createPresign({ ...given, maxBytes: 10_000_000 });
  const { body = '' } = await presign(httpEvent({ body: request, authorization, method: 'POST' }), context);
  const { image_id, upload } = JSON.parse(body) as {
    image_id: number;
    upload: { url: string; headers: Record<string, string> };
  };
  expect((await fetch(upload.url, { method: 'PUT', headers: upload.headers, body: content })).status).toBe(
    200,
  );
  const parameters = { id: String(image_id) };
  const event = httpEvent({
    parameters,
    authorization,
    method: 'POST',
    path: `/pictures/${image_id}/complete`,
  });
  const reply = await createComplete(given)(event, context);
  return { statusCode: reply.statusCode, body: reply.body };
};

describe('what a picture is', () => {
  it.each(Object.entries(pictures))(
    '%s is accepted by POST /pictures and after POST /uploads, and ends as ready',
    async (_what, { type, content }) => {
      for (const { statusCode, body = '' } of [await direct(content), await presigned(content, type)]) {
        expect(statusCode, body).toBe(202);
        const { image_id } = JSON.parse(body) as { image_id: number };
        const { user_id, image_path } = await deps.db
          .selectFrom('pictures')
          .select(['user_id', 'image_path'])
          .where('id', '=', image_id)
          .executeTakeFirstOrThrow();
        await createResize(given)(messageEvent('resize-picture', { image_id, user_id, image_path }));
        expect(await readPicture(deps.db, image_id)).toMatchObject({ status: 'ready', content_type: type });
      }
    },
    120_000,
  );

  it.each([
    ...Object.entries(foreignFiles),
    ['a picture of too many pixels', bomb(16_000, 16_000)] as const,
    ['a JPEG of four bytes', Buffer.from([0xff, 0xd8, 0xff, 0xe0])] as const,
  ])(
    '%s is refused by POST /pictures and after POST /uploads, for the same reason',
    async (_what, content) => {
      const [one, other] = [await direct(content), await presigned(content, 'image/png')];
      expect([415, 422]).toContain(one.statusCode);
      expect(other.statusCode).toBe(422);
      expect(detailOf(one.body)).toMatch(/expected|can not be decoded/);
      expect(detailOf(other.body)).toBe(detailOf(one.body));
    },
  );

  it.each([
    ...['image/jpg', 'IMAGE/JPEG', 'image/jpeg; q=1', 'image/x-jpg', 'image/x-tiff', 'image/*'],
    ...['', 'application/octet-stream', 'image/png'],
  ])('a JPEG that is announced as %j is accepted as a JPEG', async (type) => {
    expect((await presigned(jpeg, type)).statusCode).toBe(202);
  });
});

describe('an examined object', () => {
  const padding = Buffer.alloc(20 * 1024 * 1024);

  it.each(Object.entries({ 'a small JPEG': { content: jpeg }, ...field }))(
    '%s in front of 20 MiB is read in less than 2 MiB',
    async (_what, { content }) => {
      const key = `originals/${uniqueId()}`;
      await deps.storage.put(key, Buffer.concat([content, padding]), 'image/jpeg');
      let bytes = 0;
      const counting = {
        ...deps.storage,
        async read(...args: Parameters<typeof deps.storage.read>) {
          const part = await deps.storage.read(...args);
          bytes += part?.length ?? 0;
          return part;
        },
      };
      const object = await objectOf(counting, key);
      expect(object && (await examine(object))).toMatchObject({ width: expect.any(Number) });
      expect(bytes).toBeLessThan(2 * 1024 * 1024);
      await deps.storage.remove(key);
    },
  );
});

describe('GET /pictures/{id}', () => {
  it('a picture is read over one connection', async () => {
    const name = unique('one-connection');
    const db = connectDatabase({ url: stack.DATABASE_URL, name });
    const id = uniqueId();
    const row = { id, user_id: uniqueId(), image_path: `originals/${id}.jpg` };
    await deps.db.insertInto('pictures').values(row).execute();
    expect(await readPicture(db, id)).toMatchObject({ image_id: id, variants: [], points: 0 });
    const { rows } = await sql<{ open: number }>`
      select count(*) as open from pg_stat_activity where application_name = ${name}`.execute(deps.db);
    expect(rows[0]?.open).toBe(1);
    await db.destroy();
  });
});
