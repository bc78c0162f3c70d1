import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { createHandler as createPresign } from '../../../functions/pictures/presign.ts';
import { createHandler as createUpload } from '../../../functions/pictures/upload.ts';
import type { UploadQuota } from '../../../shared/pictures/quota.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context, form } from '../../support/events.ts';

const deps = openDeps();
afterAll(() => deps.close());

const presign = async (user: number, quota: UploadQuota, bytes = 1000) => {
  const handler = createPresign({ ...deps, maxBytes: 10_000, quota });
  const authorization = await bearer(user);
  const body = { content_type: 'image/jpeg', bytes };
  const reply = await handler(httpEvent({ method: 'POST', authorization, body }), context);
  return { status: reply.statusCode, headers: reply.headers ?? {}, body: JSON.parse(reply.body ?? '{}') };
};
const statuses = (replies: { status: number | undefined }[]) =>
  replies.map(({ status }) => status).toSorted((one = 0, other = 0) => one - other);

describe('quotas of a user', () => {
  it('quota: concurrent requests open no more uploads than allowed, and the refusal names the quota', async () => {
    const user = uniqueId();
    const quota = { open: 3, bytes: 1_000_000 };
    const replies = await Promise.all(Array.from({ length: 8 }, () => presign(user, quota)));
    expect(statuses(replies)).toEqual([201, 201, 201, 429, 429, 429, 429, 429]);
    const refused = replies.find(({ status }) => status === 429);
    expect(refused?.body).toMatchObject({
      title: 'Too many open uploads',
      detail: 'uploads: 3 are begun and not completed, at most 3 may be; complete or delete some',
    });
    // When clean-up-pictures removes the first.
    expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(86_000);
    expect((await presign(uniqueId(), quota)).status).toBe(201);
    const { id } = await deps.db
      .selectFrom('pictures')
      .select('id')
      .where('user_id', '=', user)
      .executeTakeFirstOrThrow();
    await deps.db.updateTable('pictures').set({ status: 'ready' }).where('id', '=', id).execute();
    expect((await presign(user, quota)).status).toBe(201);
  });

  it('quota: bytes of stored pictures are limited, and those of a deleted picture are free again', async () => {
    const user = uniqueId();
    const quota = { open: 100, bytes: 10_000 };
    expect((await presign(user, quota, 6000)).status).toBe(201);
    const refused = await presign(user, quota, 4001);
    expect(refused).toMatchObject({
      status: 429,
      headers: { 'retry-after': '3600' },
      body: {
        title: 'No room for this picture',
        detail: 'bytes: 6000 of 10000 are used, and this picture has 4001; delete some pictures',
      },
    });
    expect((await presign(user, quota, 4000)).status).toBe(201);
    await deps.db
      .updateTable('pictures')
      .set({ deleted_at: new Date() })
      .where('user_id', '=', user)
      .execute();
    expect((await presign(user, quota, 10_000)).status).toBe(201);
  });

  it('quota: a direct upload counts, too', async () => {
    const user = uniqueId();
    const handler = createUpload({ ...deps, quota: { open: 1, bytes: 10 } });
    const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } });
    const parts = form([{ content: await picture.jpeg().toBuffer() }]);
    const reply = await handler(httpEvent({ ...parts, authorization: await bearer(user) }), context);
    expect(reply.statusCode).toBe(429);
  });
});
