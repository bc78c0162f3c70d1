import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { createHandler as createUpload } from '../../../functions/pictures/upload.ts';
import type { HttpReply } from '../../../runtime/http/function.ts';
import { json } from '../../../runtime/http/function.ts';
import { type KeptIds, once } from '../../../shared/http/idempotency.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context, form } from '../../support/events.ts';
import { plain } from '../../support/pictures.ts';

const deps = openDeps();
const { db } = deps;
afterAll(() => deps.close());

const request = (given: { key?: string; user?: number; content?: string; method?: string } = {}) => {
  const { key = randomUUID(), user = uniqueId(), content = 'content', method = 'POST' } = given;
  const event = httpEvent({ method, headers: { 'idempotency-key': key } });
  return { db, event, user: { id: user, key: String(user), scopes: new Set<string>() }, content };
};
const done = async (): Promise<HttpReply> => json(202, { done: randomUUID() }, { location: '/here' });

describe('a request with an idempotency key', () => {
  it('is handled once, and has the same answer each time', async () => {
    const same = request();
    const first = await once(same, done);
    expect(await once(same, done)).toEqual(first);
    expect(await once(same, () => Promise.reject(new Error('worked on again')))).toEqual(first);
  });

  it('is refused while the first request with its key is in flight', async () => {
    const same = request();
    const conflict = { status: 409, headers: { 'retry-after': '1' } };
    const first = await once(same, async () => {
      await expect(once(same, done)).rejects.toMatchObject(conflict);
      return done();
    });
    expect(await once(same, done)).toEqual(first);
  });

  it('is handled once for ten concurrent requests', async () => {
    const same = request();
    let worked = 0;
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, () =>
        once(same, async () => {
          worked += 1;
          return done();
        }),
      ),
    );
    expect(worked).toBe(1);
    const others = results.filter((result) => result.status === 'rejected');
    for (const { reason } of others) expect(reason).toMatchObject({ status: 409 });
  });

  it.each([{ content: 'another' }, { method: 'PUT' }])(
    'is refused with 422 when it differs: %j',
    async (change) => {
      const [key, user] = [randomUUID(), uniqueId()];
      await once(request({ key, user }), done);
      const other = once(request({ key, user, ...change }), done);
      await expect(other).rejects.toMatchObject({
        status: 422,
        detail: expect.stringContaining('another request'),
      });
    },
  );

  it('is refused if it differs from an earlier one that failed or died', async () => {
    const [key, user] = [randomUUID(), uniqueId()];
    await expect(
      once(request({ key, user }), () => Promise.reject(new Error('unavailable'))),
    ).rejects.toThrow();
    const other = once(request({ key, user, content: 'another' }), done);
    await expect(other).rejects.toMatchObject({ status: 422 });
  });

  it("does not meet another user's request with the same key", async () => {
    const key = randomUUID();
    const replies = await Promise.all([once(request({ key }), done), once(request({ key }), done)]);
    expect(replies[0]).not.toEqual(replies[1]);
  });

  it('can be repeated after a failure, with the same reserved ids', async () => {
    const same = request();
    const ids: KeptIds[] = [];
    const note = (reply: () => Promise<HttpReply>) => (kept?: KeptIds) => {
      if (kept) ids.push({ pictureId: kept.pictureId, requestId: kept.requestId });
      return reply();
    };
    await expect(
      once(
        same,
        note(() => Promise.reject(new Error('unavailable'))),
      ),
    ).rejects.toThrow('unavailable');
    expect(
      (
        await once(
          same,
          note(async () => json(503, {})),
        )
      ).statusCode,
    ).toBe(503);
    expect((await once(same, note(done))).statusCode).toBe(202);
    expect(ids).toEqual([ids[0], ids[0], ids[0]]);
    expect(ids[0]?.pictureId).toBeGreaterThanOrEqual(1_000_000_000);
    await once({ ...same, ...request({ user: same.user.id }) }, note(done));
    expect(ids[3]?.requestId).not.toBe(ids[0]?.requestId);
  });

  it('is a new request a day later', async () => {
    const same = request();
    const first = await once(same, done);
    const old = { created_at: new Date(Date.now() - 25 * 3_600_000) };
    await db.updateTable('idempotency_keys').set(old).where('user_id', '=', same.user.id).execute();
    expect(await once(same, done)).not.toEqual(first);
  });

  it('may have its key in quotes, as in the draft', async () => {
    const [key, user] = [randomUUID(), uniqueId()];
    const first = await once(request({ key, user }), done);
    expect(await once(request({ key: `"${key}"`, user }), done)).toEqual(first);
  });

  it.each(['', '""', ' ', 'a b', 'x'.repeat(256), 'ü', 'a"b'])(
    'is refused with 400 for the key %j',
    async (key) => {
      await expect(once(request({ key }), done)).rejects.toMatchObject({ status: 400 });
    },
  );
});

describe('POST /pictures with an idempotency key', () => {
  it('makes one picture for a form that is sent twice, with any boundary', async () => {
    const user = uniqueId();
    const content = await plain(4, 3).png().toBuffer();
    const headers = { 'idempotency-key': randomUUID() };
    const send = async (picture: Buffer, boundary: string) =>
      createUpload(deps)(
        httpEvent({
          ...form([{ content: picture }], boundary),
          authorization: await bearer(user),
          method: 'POST',
          headers,
        }),
        context,
      );
    const first = await send(content, 'one');
    const again = await send(content, 'two');
    expect([first.statusCode, again.body, again.headers?.['location']]).toEqual([
      202,
      first.body,
      first.headers?.['location'],
    ]);
    expect((await send(await plain(5, 3).png().toBuffer(), 'one')).statusCode).toBe(422);
    const rows = await db.selectFrom('pictures').select('id').where('user_id', '=', user).execute();
    expect(rows).toHaveLength(1);
  });
});
