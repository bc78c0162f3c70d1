import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { createHandler as createComplete } from '../../../functions/pictures/complete.ts';
import { createHandler as createPresign } from '../../../functions/pictures/presign.ts';
import type { HttpReply } from '../../../runtime/http/function.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { storageSettings } from '../../../shared/storage/settings.ts';
import { createStorage } from '../../../shared/storage/storage.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context } from '../../support/events.ts';
import { foreignFiles, plain } from '../../support/pictures.ts';
import { stack } from '../../support/stack.ts';

const deps = openDeps();
const maxBytes = 1_000_000;
const presign = createPresign({ ...deps, maxBytes });
const complete = createComplete(deps);
let broker: TestBroker;
let queue: string;
let picture: Buffer;

beforeAll(async () => {
  broker = await openBroker();
  queue = await broker.queue('large');
  await broker.channel.bindQueue(queue, 'upload-pictures', '');
  picture = await plain(640, 480).jpeg().toBuffer();
});
afterAll(async () => {
  await broker.close();
  await deps.close();
});

const parse = (reply: HttpReply) => ({
  status: reply.statusCode,
  headers: reply.headers as Record<string, string>,
  body: JSON.parse(reply.body ?? 'null') as Record<string, unknown>,
});

const ask = async (body: unknown, user = uniqueId(), scopes?: string[]) => {
  const authorization = await bearer(user, scopes);
  return parse(await presign(httpEvent({ body, authorization, method: 'POST' }), context));
};

interface Presigned {
  image_id: number;
  upload: { url: string; method: string; headers: Record<string, string> };
}

const presigned = async (user: number, content: Buffer = picture, type = 'image/jpeg') => {
  const { body } = await ask({ content_type: type, bytes: content.length }, user);
  return body as unknown as Presigned;
};
const put = ({ upload: { url, ...init } }: Presigned, body: Buffer) => fetch(url, { ...init, body });
const finish = async (id: number | string, user: number, headers: Record<string, string> = {}) =>
  parse(
    await complete(
      httpEvent({
        parameters: { id: String(id) },
        authorization: await bearer(user),
        headers,
        method: 'POST',
        path: `/pictures/${id}/complete`,
      }),
      context,
    ),
  );
const rowOf = (id: number) =>
  deps.db.selectFrom('pictures').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const announcements = async (id: number) =>
  (await broker.drain(queue))
    .map(({ content }) => JSON.parse(content.toString()) as { image_id: number })
    .filter(({ image_id }) => image_id === id);

describe('POST /uploads', () => {
  it('the answer has a signed address for the picture, and the route that completes it', async () => {
    const user = uniqueId();
    const { status, body, headers } = await ask({ content_type: 'image/jpeg', bytes: picture.length }, user);
    const id = body['image_id'] as number;
    expect(status).toBe(201);
    expect(body).toEqual({
      image_id: expect.any(Number),
      upload: { url: expect.any(String), method: 'PUT', headers: { 'content-type': 'image/jpeg' } },
      complete: `/pictures/${id}/complete`,
    });
    expect(headers['location']).toBe(`/pictures/${id}`);
    expect(await rowOf(id)).toMatchObject({ user_id: user, status: 'awaiting', announced_at: null });
    expect(await announcements(id)).toEqual([]);
  });

  it.each([
    [{ content_type: 'image/jpeg', bytes: maxBytes }, 201, ''],
    [{ content_type: 'image/jpeg', bytes: maxBytes + 1 }, 413, `at most ${maxBytes}, got ${maxBytes + 1}`],
    [{ content_type: 'image/svg+xml', bytes: 1 }, 415, 'expected JPEG, PNG'],
    [{ content_type: 'constructor', bytes: 1 }, 415, 'expected JPEG, PNG'],
    [{ content_type: 'image/jpeg', bytes: 0 }, 422, 'bytes: expected at least 1'],
    [{ content_type: 'image/jpeg', bytes: 1.5 }, 422, 'bytes: expected a whole number'],
    [{ content_type: 'image/jpeg', bytes: '9' }, 422, 'bytes: expected the size'],
    [{ bytes: 9 }, 422, 'content_type: expected a media type'],
    [null, 422, 'body: '],
    [[], 422, 'body: '],
  ])('answers %j with %d', async (request, status, detail) => {
    const reply = await ask(request);
    expect(reply.status).toBe(status);
    if (status === 201) return;
    expect(reply.headers['content-type']).toBe('application/problem+json');
    expect(reply.body['detail']).toContain(detail);
  });

  it('requires the scope', async () => {
    const request = { content_type: 'image/jpeg', bytes: 9 };
    expect((await ask(request, 1, ['friends:write'])).status).toBe(403);
    expect((await presign(httpEvent({ body: request, method: 'POST' }), context)).statusCode).toBe(401);
  });
});

describe('POST /pictures/{id}/complete', () => {
  it('announces the uploaded picture once for any number of requests', async () => {
    const user = uniqueId();
    const upload = await presigned(user);
    expect((await put(upload, picture)).status).toBe(200);
    const id = upload.image_id;
    const replies = await Promise.all([finish(id, user), finish(id, user), finish(id, user)]);
    replies.push(await finish(id, user));
    for (const reply of replies) {
      expect(reply).toMatchObject({ status: 202, body: { image_id: id, status: 'uploaded' } });
      expect(reply.headers['location']).toBe(`/pictures/${id}`);
    }
    const { image_path } = await rowOf(id);
    expect(await announcements(id)).toEqual([{ image_id: id, user_id: user, image_path }]);
    expect(await rowOf(id)).toMatchObject({ status: 'uploaded', announced_at: expect.any(Date) });
  });

  it('a completed picture is answered with its present state', async () => {
    const user = uniqueId();
    const upload = await presigned(user);
    await deps.db
      .updateTable('pictures')
      .set({ status: 'ready' })
      .where('id', '=', upload.image_id)
      .execute();
    expect(await finish(upload.image_id, user)).toMatchObject({ status: 202, body: { status: 'ready' } });
  });

  it('a missing object is answered with 409, and can be completed when it is there', async () => {
    const user = uniqueId();
    const upload = await presigned(user);
    expect(await finish(upload.image_id, user)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('nothing was uploaded') },
    });
    await put(upload, picture);
    expect((await finish(upload.image_id, user)).status).toBe(202);
  });

  const another = (what: string, content: () => Buffer, reason: string) => [what, content, reason] as const;
  it.each([
    another('is cut off', () => picture.subarray(0, -9), 'bytes, as was announced, got'),
    another('is empty', () => Buffer.alloc(0), 'got 0'),
    another('is larger', () => Buffer.concat([picture, Buffer.alloc(9)]), 'bytes, as was announced, got'),
  ])('refuses an object that %s, and accepts its replacement', async (_what, content, reason) => {
    const user = uniqueId();
    const upload = await presigned(user);
    const { image_path } = await rowOf(upload.image_id);
    // Written directly, because a real S3 refuses it at the signed address.
    await deps.storage.put(image_path, content(), 'image/jpeg');
    const reply = await finish(upload.image_id, user);
    expect(reply).toMatchObject({ status: 422, body: { detail: expect.stringContaining(reason) } });
    expect(await rowOf(upload.image_id)).toMatchObject({ status: 'awaiting' });
    // The right object may still come.
    await put(upload, picture);
    expect((await finish(upload.image_id, user)).status).toBe(202);
  });

  it.each(Object.entries(foreignFiles))(
    'refuses %s of the right size and type by its first bytes',
    async (_what, file) => {
      const user = uniqueId();
      const upload = await presigned(user, file);
      await put(upload, file);
      const reply = await finish(upload.image_id, user);
      expect(reply).toMatchObject({
        status: 422,
        body: { detail: expect.stringMatching(/^the upload: expected JPEG, PNG, .* or TIFF, got ./) },
      });
      expect(await rowOf(upload.image_id)).toMatchObject({ status: 'awaiting' });
      expect(await announcements(upload.image_id)).toEqual([]);
    },
  );

  it('keeps the right picture that is uploaded and completed while another request checks a wrong one', async () => {
    const user = uniqueId();
    const upload = await presigned(user);
    const { image_path } = await rowOf(upload.image_id);
    await deps.storage.put(image_path, picture.subarray(0, -9), 'image/jpeg');
    const meanwhile = {
      ...deps.storage,
      async size(key: string) {
        const size = await deps.storage.size(key);
        await put(upload, picture);
        expect((await finish(upload.image_id, user)).status).toBe(202);
        return size;
      },
    };
    const late = await createComplete({ ...deps, storage: meanwhile })(
      httpEvent({ parameters: { id: String(upload.image_id) }, authorization: await bearer(user) }),
      context,
    );
    expect(parse(late)).toMatchObject({ status: 202, body: { status: 'uploaded' } });
    expect((await deps.storage.get(image_path, maxBytes))?.body).toEqual(picture);
    expect(await announcements(upload.image_id)).toHaveLength(1);
  });

  it('accepts a picture of another type than announced as what it is, as POST /pictures does', async () => {
    const user = uniqueId();
    const upload = await presigned(user, picture, 'image/png');
    await put(upload, picture);
    expect(await finish(upload.image_id, user)).toMatchObject({ status: 202 });
    expect(await rowOf(upload.image_id)).toMatchObject({ status: 'uploaded', content_type: 'image/jpeg' });
  });

  it('answers 404 for a picture of another user, a deleted one and a missing one', async () => {
    const user = uniqueId();
    const upload = await presigned(user);
    expect((await finish(upload.image_id, user + 1)).status).toBe(404);
    for (const id of ['999999998', 'abc', '-1', '']) expect((await finish(id, user)).status).toBe(404);
    const deleted = { deleted_at: new Date() };
    await deps.db.updateTable('pictures').set(deleted).where('id', '=', upload.image_id).execute();
    expect((await finish(upload.image_id, user)).status).toBe(404);
  });

  it('returns the same answer for the same key, and refuses a key of another picture', async () => {
    const user = uniqueId();
    const [one, other] = [await presigned(user), await presigned(user)];
    await put(one, picture);
    await put(other, picture);
    const headers = { 'idempotency-key': randomUUID() };
    const first = await finish(one.image_id, user, headers);
    await deps.db.updateTable('pictures').set({ status: 'ready' }).where('id', '=', one.image_id).execute();
    expect(await finish(one.image_id, user, headers)).toEqual(first);
    expect((await finish(other.image_id, user, headers)).status).toBe(422);
    expect(await rowOf(other.image_id)).toMatchObject({ status: 'awaiting' });
  });

  it('keeps no error as the answer of a key, so that the same key may be used again', async () => {
    const user = uniqueId();
    const upload = await presigned(user);
    const headers = { 'idempotency-key': randomUUID() };
    expect((await finish(upload.image_id, user, headers)).status).toBe(409);
    await put(upload, picture);
    expect((await finish(upload.image_id, user, headers)).status).toBe(202);
  });

  it('answers 503 while the storage is unavailable, and changes nothing', async () => {
    const user = uniqueId();
    const upload = await presigned(user);
    await put(upload, picture);
    const { storage } = readSettings(
      { storage: storageSettings },
      { ...stack, S3_ENDPOINT: 'http://127.0.0.1:9' },
    );
    const reply = await createComplete({ ...deps, storage: createStorage(storage) })(
      httpEvent({
        parameters: { id: String(upload.image_id) },
        authorization: await bearer(user),
        method: 'POST',
      }),
      context,
    );
    expect(reply).toMatchObject({ statusCode: 503, headers: { 'retry-after': '5' } });
    expect(await rowOf(upload.image_id)).toMatchObject({ status: 'awaiting' });
    expect((await finish(upload.image_id, user)).status).toBe(202);
  });
});
