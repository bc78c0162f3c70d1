import { sql } from 'kysely';
import { afterAll, describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { createHandler as createCheck } from '../../../functions/operations/check-parts.ts';
import { createHandler as createHealth, handler as health } from '../../../functions/operations/health.ts';
import { createHandler as createGet } from '../../../functions/pictures/get.ts';
import { createHandler as createPoints } from '../../../functions/users/points.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { connectDatabase } from '../../../shared/database/database.ts';
import { storageSettings } from '../../../shared/storage/settings.ts';
import { createStorage } from '../../../shared/storage/storage.ts';
import { unique } from '../../support/broker.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context } from '../../support/events.ts';
import { withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

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
  const mail = { picture_id: id };
  await db
    .insertInto('mails')
    .values([
      { ...mail, key: `test:${id}:2`, user_id: 2, recipient: 'grace@example.com', sent_at: new Date(0) },
      { ...mail, key: `test:${id}:3`, user_id: 3, recipient: 'edsger@example.com', sent_at: null },
    ])
    .execute();
  await db
    .insertInto('picture_notices')
    .values(
      [
        ...[2, 3].map((friend) => ({ user_id: friend, mail_key: `test:${id}:${friend}` })),
        { user_id: 4, mail_key: null },
      ].map((notice) => ({ picture_id: id, from_user: user, ...notice })),
    )
    .execute();
  return { id, user };
};

describe('GET /pictures/{id}', () => {
  const handler = createGet(deps);

  it('a request for a picture uses one connection to the database, also if its pool may have more', async () => {
    const { id, user } = await makePicture();
    const name = unique('pool');
    const db = connectDatabase({ url: stack.DATABASE_URL, name, connections: 5 });
    try {
      for (const _time of [1, 2])
        expect((await read(createGet({ ...deps, db }), String(id), user)).status).toBe(200);
      const { rows } = await sql`select pid from pg_stat_activity where application_name = ${name}`.execute(
        deps.db,
      );
      expect(rows).toHaveLength(1);
    } finally {
      await db.destroy();
    }
  });

  it('the owner gets every detail, with links for a browser, and no address of a friend', async () => {
    const { id, user } = await makePicture();
    const { status, body } = await read(handler, String(id), user);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      image_id: id,
      user_id: user,
      status: 'ready',
      points: 10,
      variants: [{ width: 160, height: 90, format: 'webp', bytes: 11 }],
      friends_notified_at: null,
    });
    // Which friends get mails is their own affair.
    expect(body).not.toHaveProperty('notifications');
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

  it('the owner of a failed picture gets the reason', async () => {
    const [id, user] = [uniqueId(), uniqueId()];
    const failed = { status: 'failed', reason: 'the picture is damaged' } as const;
    await deps.db
      .insertInto('pictures')
      .values({ id, user_id: user, image_path: `originals/${id}.jpg`, ...failed })
      .execute();
    expect(await read(handler, String(id), user)).toMatchObject({
      status: 200,
      body: { ...failed, variants: [], points: 0, friends_notified_at: null },
    });
  });

  it('the answer does not contain the key of the original', async () => {
    const { id, user } = await makePicture();
    expect(JSON.stringify((await read(handler, String(id), user)).body)).not.toContain('originals/');
  });

  it('answers 401 without a token, whether the picture exists or not', async () => {
    const { id } = await makePicture();
    for (const each of [String(id), '999999998']) {
      const reply = await handler(httpEvent({ parameters: { id: each } }), context);
      expect(reply).toMatchObject({
        statusCode: 401,
        headers: { 'content-type': 'application/problem+json', 'www-authenticate': expect.any(String) },
      });
    }
  });

  it("returns the same answer for another user's picture as for a missing one", async () => {
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

  it('returns the balance and the entries, newest first', async () => {
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

  it("returns no entries to a user without points, and no other user's entries", async () => {
    const user = uniqueId();
    expect(await read(handler, String(user), user)).toMatchObject({
      status: 200,
      body: { balance: 0, entries: [] },
    });
    expect(await read(handler, '1', user)).toMatchObject({ status: 403 });
  });

  it.each(['', 'mine', '01', '1 or 1=1'])('returns nothing to user 1 for the id %j', async (id) => {
    expect(await read(handler, id, 1)).toMatchObject({ status: 403 });
  });

  it('returns the latest hundred entries, and the balance of all entries', async () => {
    const user = uniqueId();
    const first = uniqueId();
    const entries = Array.from({ length: 103 }, (_, index) => ({
      picture_id: first,
      user_id: user,
      points: 10,
      reason: `test ${index}`,
    }));
    await deps.db.insertInto('points_entries').values(entries).execute();
    const { body } = await read(handler, String(user), user);
    expect([body['balance'], (body['entries'] as unknown[]).length]).toEqual([1030, 100]);
  });
});

describe('GET /health', () => {
  it('health: answers that functions run, without a token and without a connection to any part', async () => {
    const reply = await createHealth({})(httpEvent(), context);
    expect([reply.statusCode, reply.body]).toEqual([200, '{"status":"up"}']);
    expect(Object.keys(health.resources)).toEqual(['log']);
  });
});

describe('GET /health/parts', () => {
  const ask = async (given: Partial<typeof deps> & { timeoutMs?: number }) => {
    const event = httpEvent({ authorization: await bearer(1, ['queues:read']) });
    const reply = await createCheck({ ...deps, ...given })(event, context);
    return { status: reply.statusCode, body: JSON.parse(reply.body ?? '') as unknown };
  };

  it('health: the states of parts need a token with the scope queues:read', async () => {
    const statuses = [undefined, await bearer(1, [])].map(async (authorization) => {
      const reply = await createCheck(deps)(httpEvent({ authorization }), context);
      return reply.statusCode;
    });
    expect(await Promise.all(statuses)).toEqual([401, 403]);
  });

  it('health: reports that all parts are up', async () => {
    const body = { status: 'up', broker: 'up', storage: 'up', database: 'up' };
    expect(await ask({})).toEqual({ status: 200, body });
  });

  it('answers 503 with the name of the part that is down', async () => {
    const { storage } = readSettings({ storage: storageSettings }, { ...stack, S3_BUCKET: 'no-such-bucket' });
    expect(await ask({ storage: createStorage(storage) })).toMatchObject({
      status: 503,
      body: { status: 'down', broker: 'up', storage: 'down', database: 'up' },
    });
  });

  it('names each unreachable part, without details', async () => {
    const { storage } = readSettings(
      { storage: storageSettings },
      { ...stack, S3_ENDPOINT: 'http://127.0.0.1:9' },
    );
    const publisher = new Publisher({ url: 'amqp://user:secret@127.0.0.1:9', name: unique('unavailable') });
    const db = connectDatabase({ url: 'postgres://user:secret@127.0.0.1:9/x', name: unique('unavailable') });
    const down = { status: 'down', broker: 'up', storage: 'up', database: 'up' };
    for (const [given, part] of [
      [{ storage: createStorage(storage) }, 'storage'],
      [{ publisher }, 'broker'],
      [{ db }, 'database'],
    ] as const) {
      expect(await ask(given)).toEqual({ status: 503, body: { ...down, [part]: 'down' } });
    }
    await Promise.all([publisher.close(), db.destroy()]);
  });

  it('health does not wait for a part that accepts a connection and is silent', async () => {
    await withFaultyServer(
      () => undefined,
      async (port) => {
        const db = connectDatabase({ url: `postgres://127.0.0.1:${port}/x`, name: unique('silent') });
        const startedAt = performance.now();
        expect(await ask({ db, timeoutMs: 300 })).toMatchObject({ status: 503, body: { database: 'down' } });
        expect(performance.now() - startedAt).toBeLessThan(2000);
        await db.destroy();
      },
    );
  });
});
