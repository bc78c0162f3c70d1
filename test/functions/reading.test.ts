import { afterAll, describe, expect, it } from 'vitest';
import { createHandler as createHealth } from '../../functions/health.ts';
import { createHandler as createGet } from '../../functions/pictures/get.ts';
import { createHandler as createPoints } from '../../functions/users/points.ts';
import { readConfig } from '../../shared/config.ts';
import { createStorage } from '../../shared/storage.ts';
import { bearer, openDeps, uniqueId } from '../deps.ts';
import { context, httpEvent } from '../events.ts';
import { stack } from '../stack.ts';

const deps = openDeps();
afterAll(() => deps.close());

type Handler = ReturnType<typeof createGet>;
const read = async (handler: Handler, id: string, user: number) => {
  const reply = await handler(
    httpEvent({ parameters: { id }, authorization: await bearer(user, []) }),
    context,
  );
  return { status: reply.statusCode, body: JSON.parse(reply.body ?? '') as Record<string, unknown> };
};

const makePicture = async () => {
  const [id, user] = [uniqueId(), uniqueId()];
  const key = `pictures/${id}/abc-160.webp`;
  await deps.storage.put(key, Buffer.from('a rendition'), 'image/webp');
  const { db } = deps;
  await db
    .insertInto('pictures')
    .values({ id, user_id: user, image_path: `originals/${id}.jpg`, status: 'ready' })
    .execute();
  await db
    .insertInto('variants')
    .values({ picture_id: id, width: 160, height: 90, format: 'webp', key, bytes: 11 })
    .execute();
  await db
    .insertInto('points_entries')
    .values({ picture_id: id, user_id: user, points: 10, reason: 'upload' })
    .execute();
  const mail = { picture_id: id, claim: crypto.randomUUID(), claimed_until: new Date() };
  await db
    .insertInto('mails')
    .values([
      { ...mail, key: `test:${id}:2`, user_id: 2, recipient: 'grace@example.com', sent_at: new Date(0) },
      { ...mail, key: `test:${id}:3`, user_id: 3, recipient: 'edsger@example.com', sent_at: null },
    ])
    .execute();
  return { id, user };
};

describe('GET /pictures/{id}', () => {
  const handler = createGet(deps);

  it('tells the owner all about it, with links that a browser can follow, and no address of a friend', async () => {
    const { id, user } = await makePicture();
    const { status, body } = await read(handler, String(id), user);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ...{ image_id: id, user_id: user, status: 'ready', points: 10 },
      variants: [{ width: 160, height: 90, format: 'webp', bytes: 11 }],
      notifications: [
        { user_id: 2, status: 'sent', sent_at: '1970-01-01T00:00:00.000Z' },
        { user_id: 3, status: 'pending' },
      ],
    });
    expect(JSON.stringify(body)).not.toContain('@example.com');
    const [variant] = body['variants'] as { url: string }[];
    const response = await fetch(variant?.url ?? '');
    expect([await response.text(), response.headers.get('content-type')]).toEqual([
      'a rendition',
      'image/webp',
    ]);
  });

  it.each(['-1', '0', 'abc', '1e3', '99999999999999999999', '', '1 or 1=1'])(
    'answers 404 to the id %j',
    async (id) => {
      expect(await read(handler, id, 1)).toMatchObject({ status: 404, body: { title: 'No such picture' } });
    },
  );

  it("answers another user's picture just as one that isn't there", async () => {
    const { id, user } = await makePicture();
    const other = await read(handler, String(id), user + 1);
    const missing = await read(handler, '999999998', user + 1);
    expect(other.status).toBe(404);
    expect(JSON.stringify(other.body).replace(String(id), 'ID')).toBe(
      JSON.stringify(missing.body).replace('999999998', 'ID'),
    );
  });
});

describe('GET /users/{id}/points', () => {
  const handler = createPoints(deps);

  it('gives balance and entries, the latest first', async () => {
    const user = uniqueId();
    const pictures = [uniqueId(), uniqueId()];
    for (const picture_id of pictures) {
      const entry = { picture_id, user_id: user, points: 10, reason: 'upload' };
      await deps.db.insertInto('points_entries').values(entry).execute();
    }
    const { status, body } = await read(handler, String(user), user);
    expect([status, body['user_id'], body['balance']]).toEqual([200, user, 20]);
    expect((body['entries'] as { image_id: number }[]).map(({ image_id }) => image_id)).toEqual(
      pictures.reverse(),
    );
  });

  it('gives nothing to a user who has none, and nothing of anybody else', async () => {
    const user = uniqueId();
    expect(await read(handler, String(user), user)).toMatchObject({
      status: 200,
      body: { balance: 0, entries: [] },
    });
    expect(await read(handler, '1', user)).toMatchObject({ status: 403 });
  });
});

describe('GET /health', () => {
  const ask = async (given: Partial<typeof deps>) => {
    const reply = await createHealth({ ...deps, ...given })(httpEvent(), context);
    return { status: reply.statusCode, body: JSON.parse(reply.body ?? '') as unknown };
  };

  it('needs no token, and says that all parts are up', async () => {
    const body = { status: 'up', broker: 'up', storage: 'up', database: 'up' };
    expect(await ask({})).toEqual({ status: 200, body });
  });

  it('names the part that is down, with 503', async () => {
    const { storage } = readConfig(['storage'], { ...stack, S3_BUCKET: 'no-such-bucket' });
    expect(await ask({ storage: createStorage(storage) })).toMatchObject({
      status: 503,
      body: { status: 'down', broker: 'up', storage: 'down', database: 'up' },
    });
  });
});
