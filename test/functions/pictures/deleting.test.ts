import { sql } from 'kysely';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { httpEvent, recordingPublisher } from 'warren/testing';
import { createHandler as createAddPoints } from '../../../functions/pictures/add-points.ts';
import { createHandler as createCleanUp } from '../../../functions/pictures/clean-up.ts';
import { createHandler as createDelete } from '../../../functions/pictures/delete.ts';
import { createHandler as createGet } from '../../../functions/pictures/get.ts';
import { createHandler as createList } from '../../../functions/pictures/list.ts';
import { createHandler as createLog } from '../../../functions/pictures/log.ts';
import { createHandler as createNotify } from '../../../functions/pictures/notify-friends.ts';
import { createHandler as createResize } from '../../../functions/pictures/resize.ts';
import { createHandler as createPoints } from '../../../functions/users/points.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { storageSettings } from '../../../shared/storage/settings.ts';
import { createStorage } from '../../../shared/storage/storage.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context, messageEvent } from '../../support/events.ts';
import { plain } from '../../support/pictures.ts';
import { stack } from '../../support/stack.ts';

const deps = openDeps();
const { db, storage } = deps;
afterAll(() => deps.close());

const call = async (
  handler: ReturnType<typeof createGet>,
  id: number | string,
  user: number,
  scopes?: string[],
) => {
  const event = httpEvent({ parameters: { id: String(id) }, authorization: await bearer(user, scopes) });
  const { statusCode, body } = await handler(event, context);
  return { status: statusCode, body: body ? (JSON.parse(body) as Record<string, unknown>) : undefined };
};

/** Makes a picture that is announced, resized and has its points. */
async function finished(given: { image_path?: string; user?: number } = {}) {
  const { image_path = `originals/${uniqueId()}.png`, user: user_id = uniqueId() } = given;
  const message = { image_id: uniqueId(), user_id, image_path };
  await storage.put(image_path, await plain(200, 100).png().toBuffer(), 'image/png');
  const publisher = recordingPublisher();
  const copies = publisher.published;
  await createResize({ ...deps, publisher })(messageEvent('resize-picture', message));
  await createAddPoints({ ...deps, publisher })(messageEvent('add-points', message));
  expect(copies).toEqual([]);
  return message;
}

const objectsOf = async (picture: { image_id: number; image_path: string }) => ({
  original: (await storage.size(picture.image_path)) !== undefined,
  variants: (await storage.list(`pictures/${picture.image_id}/`)).length,
});
const rowOf = (id: number) => db.selectFrom('pictures').selectAll().where('id', '=', id).executeTakeFirst();
const pointsOf = async (user: number) => (await call(createPoints(deps), user, user)).body;

const none = { original: false, variants: 0 };

describe('DELETE /pictures/{id}', () => {
  const remove = createDelete(deps);
  let picture: Awaited<ReturnType<typeof finished>>;
  beforeEach(async () => {
    picture = await finished();
  });

  it('removes the objects, takes back the points and hides the picture; a second request changes nothing', async () => {
    const { image_id: id, user_id: user } = picture;
    expect((await objectsOf(picture)).variants).toBeGreaterThan(0);
    expect(await call(remove, id, user)).toEqual({ status: 204, body: undefined });
    expect(await objectsOf(picture)).toEqual(none);
    expect((await call(createGet(deps), id, user)).status).toBe(404);
    expect((await call(createList(deps), id, user)).body).toEqual({ pictures: [], next: null });
    expect((await call(remove, id, user)).status).toBe(204);
    expect(await pointsOf(user)).toMatchObject({
      balance: 0,
      entries: [
        { image_id: id, reason: 'picture deleted', points: -10 },
        { image_id: id, reason: 'upload', points: 10 },
      ],
    });
  });

  it('takes the points back once for two concurrent requests', async () => {
    const { image_id: id, user_id: user } = picture;
    const replies = await Promise.all([call(remove, id, user), call(remove, id, user)]);
    expect(replies.map(({ status }) => status)).toEqual([204, 204]);
    expect(await pointsOf(user)).toMatchObject({ balance: 0 });
  });

  it("returns the same answer for another user's picture as for a missing one, and changes nothing", async () => {
    const { image_id: id, user_id: user } = picture;
    for (const each of [id, 999999998, 'abc']) expect((await call(remove, each, user + 1)).status).toBe(404);
    expect((await call(remove, id, user, ['friends:write'])).status).toBe(403);
    expect(await objectsOf(picture)).toMatchObject({ original: true });
    expect(await pointsOf(user)).toMatchObject({ balance: 10 });
  });

  it('leaves nothing to do for a message in flight', async () => {
    const user = { id: picture.user_id, name: 'Ada', email: `ada-${picture.user_id}@example.com` };
    await db.insertInto('users').values(user).execute();
    const rows = [
      { user_id: user.id, friend_id: 2 },
      { user_id: 2, friend_id: user.id },
    ];
    await db.insertInto('friendships').values(rows).execute();
    await call(remove, picture.image_id, user.id);
    const publisher = recordingPublisher();
    const copies = publisher.published;
    for (const [queue, handler] of [
      ['resize-picture', createResize({ ...deps, publisher })],
      ['add-points', createAddPoints({ ...deps, publisher })],
      ['log-upload', createLog({ ...deps, publisher })],
      ['notify-friends', createNotify({ ...deps, publisher })],
    ] as const) {
      await handler(messageEvent(queue, picture));
    }
    expect(copies).toEqual([]);
    expect(await objectsOf(picture)).toEqual(none);
    expect(await pointsOf(user.id)).toMatchObject({ balance: 0 });
    for (const table of ['mails', 'upload_log'] as const) {
      const rows = db.selectFrom(table).selectAll().where('picture_id', '=', picture.image_id);
      expect(await rows.execute(), table).toEqual([]);
    }
  });

  it('leaves no points for a picture that is deleted while points are added', async () => {
    const publisher = recordingPublisher();
    const addPoints = createAddPoints({ ...deps, publisher });
    for (let round = 0; round < 20; round += 1) {
      const image_id = uniqueId();
      const message = { image_id, user_id: picture.user_id, image_path: `originals/${image_id}.png` };
      await db
        .insertInto('pictures')
        .values({ id: image_id, user_id: message.user_id, image_path: message.image_path })
        .execute();
      await Promise.all([
        addPoints(messageEvent('add-points', message)),
        call(remove, image_id, message.user_id),
      ]);
      expect(await pointsOf(picture.user_id)).toMatchObject({ balance: 10 });
    }
  });

  it('keeps an original that another picture shares, and removes it with the last of them', async () => {
    const { image_path } = picture;
    const other = await finished({ image_path });
    await call(remove, picture.image_id, picture.user_id);
    expect(await objectsOf(picture)).toEqual({ original: true, variants: 0 });
    await call(remove, other.image_id, other.user_id);
    expect(await objectsOf(other)).toEqual(none);
  });

  it('deletes a picture while the storage is unavailable, and the clean-up removes its objects', async () => {
    const { image_id: id, user_id: user } = picture;
    const config = readSettings(
      { storage: storageSettings },
      { ...stack, S3_ENDPOINT: 'http://127.0.0.1:9' },
    );
    const unavailable = createStorage(config.storage);
    expect((await call(createDelete({ ...deps, storage: unavailable }), id, user)).status).toBe(204);
    expect((await call(createGet(deps), id, user)).status).toBe(404);
    expect(await objectsOf(picture)).toMatchObject({ original: true });
    await hoursLater(id, 3);
    await expect(createCleanUp({ ...deps, storage: unavailable })()).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
    });
    await createCleanUp(deps)();
    expect(await objectsOf(picture)).toEqual(none);
    expect(await rowOf(id)).toMatchObject({ removed_at: expect.any(Date) });
  });

  it('deletes a picture while the storage is slow, and a second request removes its objects', async () => {
    const { image_id: id, user_id: user } = picture;
    const slow = { list: storage.list, remove: () => new Promise<void>(() => undefined) };
    expect((await call(createDelete({ ...deps, storage: slow, waitMs: 50 }), id, user)).status).toBe(204);
    expect((await call(createGet(deps), id, user)).status).toBe(404);
    expect(await objectsOf(picture)).toMatchObject({ original: true });
    expect((await call(remove, id, user)).status).toBe(204);
    expect(await objectsOf(picture)).toEqual(none);
  });
});

/** Moves the creation of a picture, and its deletion if any, into the past. */
const hoursLater = (id: number, hours: number) => {
  const then = new Date(Date.now() - hours * 3_600_000);
  const deleted_at = sql<Date | null>`case when deleted_at is null then null else ${then}::timestamptz end`;
  return db.updateTable('pictures').set({ created_at: then, deleted_at }).where('id', '=', id).execute();
};

describe('clean-up-pictures', () => {
  const cleanUp = createCleanUp(deps);
  const awaiting = async () => {
    const [id, user_id] = [uniqueId(), uniqueId()];
    const image_path = `originals/${id}.png`;
    await db.insertInto('pictures').values({ id, user_id, image_path, status: 'awaiting' }).execute();
    await storage.put(image_path, Buffer.from('what came so far'), 'image/png');
    return { image_id: id, user_id, image_path };
  };

  it('removes the row and the object of an upload that is not completed within a day', async () => {
    const [fresh, old] = [await awaiting(), await awaiting()];
    await hoursLater(fresh.image_id, 23);
    await hoursLater(old.image_id, 25);
    await Promise.all([cleanUp(), cleanUp()]);
    expect([await rowOf(old.image_id), await objectsOf(old)]).toEqual([undefined, none]);
    expect(await rowOf(fresh.image_id)).toMatchObject({ status: 'awaiting', deleted_at: null });
    expect(await objectsOf(fresh)).toMatchObject({ original: true });
  });

  it('keeps a completed picture of any age', async () => {
    const picture = await finished();
    await hoursLater(picture.image_id, 10_000);
    await cleanUp();
    expect(await objectsOf(picture)).toMatchObject({ original: true });
    expect(await rowOf(picture.image_id)).toMatchObject({ status: 'ready', deleted_at: null });
  });

  it('removes objects that were stored after the deletion, and keeps the row', async () => {
    const picture = await finished();
    await call(createDelete(deps), picture.image_id, picture.user_id);
    // One from a second use of a signed address, one from a function that was writing variants.
    await storage.put(picture.image_path, Buffer.from('late'), 'image/png');
    await storage.put(`pictures/${picture.image_id}/late-160.webp`, Buffer.from('late'), 'image/webp');
    await cleanUp();
    expect(await objectsOf(picture)).toEqual({ original: true, variants: 1 });
    await hoursLater(picture.image_id, 3);
    await cleanUp();
    expect(await objectsOf(picture)).toEqual(none);
    expect(await rowOf(picture.image_id)).toMatchObject({ removed_at: expect.any(Date) });
  });

  it('deletes idempotency keys after a day', async () => {
    const user_id = uniqueId();
    const key = (name: string, hours: number) => ({
      user_id,
      key: name,
      request: '',
      claim: crypto.randomUUID(),
      claimed_until: new Date(),
      reply: null,
      created_at: new Date(Date.now() - hours * 3_600_000),
    });
    await db
      .insertInto('idempotency_keys')
      .values([key('old', 25), key('fresh', 23)])
      .execute();
    await cleanUp();
    const left = db.selectFrom('idempotency_keys').select('key').where('user_id', '=', user_id);
    expect(await left.execute()).toEqual([{ key: 'fresh' }]);
  });
});

describe('GET /pictures', () => {
  const list = async (user: number, query?: Record<string, string>) => {
    const event = httpEvent({ authorization: await bearer(user, []), ...(query && { query }) });
    const reply = await createList(deps)(event, context);
    return { status: reply.statusCode, body: JSON.parse(reply.body ?? '') as Listed };
  };
  interface Listed {
    pictures: { image_id: number; thumbnail: { url: string; width: number; height: number } | null }[];
    next: string | null;
    detail?: string;
  }

  it("returns a user's own pictures, newest first, page by page", async () => {
    const user = uniqueId();
    const first = 900_000_000_000 + uniqueId() * 100;
    const rows = Array.from({ length: 45 }, (_, index) => ({
      id: first + index,
      user_id: user,
      image_path: `originals/${first + index}.jpg`,
    }));
    await db.insertInto('pictures').values(rows).execute();
    const pages: number[][] = [];
    for (let query: Record<string, string> | undefined = {}; query; ) {
      const { body } = await list(user, query);
      pages.push(body.pictures.map(({ image_id }) => image_id));
      query =
        body.next === null ? undefined : Object.fromEntries(new URL(body.next, 'http://x').searchParams);
    }
    expect(pages.map(({ length }) => length)).toEqual([20, 20, 5]);
    expect(pages.flat()).toEqual(rows.map(({ id }) => id).reverse());
    const { body } = await list(user, { limit: '45' });
    expect([body.pictures.length, body.next]).toEqual([45, null]);
    expect((await list(user, { limit: '44' })).body.next).toBe(`/pictures?before=${first + 1}&limit=44`);
  });

  it('returns each picture with its status, its placeholder and its smallest variant', async () => {
    const picture = await finished();
    const { image_id: id, user_id: user } = picture;
    await db
      .updateTable('pictures')
      .set({ thumbhash: '1QcSHQ', color: '#008080' })
      .where('id', '=', id)
      .execute();
    for (const [other, status] of [
      [1, 'awaiting'],
      [2, 'uploaded'],
      [3, 'resizing'],
      [4, 'failed'],
    ] as const) {
      await db
        .insertInto('pictures')
        .values({ id: id + other * 1e12, user_id: user, image_path: 'x', status })
        .execute();
    }
    const { body } = await list(user);
    expect(body.pictures).toMatchObject([
      { status: 'failed', thumbnail: null },
      { status: 'resizing' },
      { status: 'uploaded' },
      { status: 'awaiting', width: null, thumbhash: null },
      { image_id: id, status: 'ready', width: 200, height: 100, thumbhash: '1QcSHQ', color: '#008080' },
    ]);
    const { thumbnail, ...last } = body.pictures.at(-1) ?? {};
    expect(Object.keys(last).sort()).toEqual([
      'color',
      'created_at',
      'height',
      'image_id',
      'status',
      'thumbhash',
      'width',
    ]);
    expect(thumbnail).toMatchObject({ width: 160, height: 80 });
    const answer = await fetch(thumbnail?.url ?? '');
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/webp']);
  });

  it.each([{ limit: '0' }, { limit: '101' }, { limit: 'all' }, { before: 'x' }, { before: '-1' }])(
    'answers %j with 422 and the name of the parameter',
    async (query) => {
      const { status, body } = await list(1, query);
      expect([status, body.detail]).toEqual([422, expect.stringContaining(Object.keys(query)[0] ?? '')]);
    },
  );
});
