import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { createHandler as createRaise } from '../../../functions/alerts/raise.ts';
import { createHandler as createOrderWalk } from '../../../functions/bookings/order-walk.ts';
import { createHandler as createComplete } from '../../../functions/pictures/complete.ts';
import { createHandler as createPresign } from '../../../functions/pictures/presign.ts';
import { createHandler as createUpload } from '../../../functions/pictures/upload.ts';
import { Requester } from '../../../runtime/amqp/requester.ts';
import type { HttpEvent, HttpReply } from '../../../runtime/http/function.ts';
import { connectDatabase } from '../../../shared/database/database.ts';
import { createRateLimit, deleteUnused, type RateLimitOptions } from '../../../shared/http/rate-limit.ts';
import { unique } from '../../support/broker.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context } from '../../support/events.ts';
import { stack } from '../../support/stack.ts';

const deps = openDeps();
const other = connectDatabase({ url: stack.DATABASE_URL, name: unique('other') });
const orders = new Requester({ url: stack.AMQP_URL, name: unique('orders') });
afterAll(() => Promise.all([deps.close(), other.destroy(), orders.close()]));

const hourly = (count: number, given: Partial<RateLimitOptions> = {}) =>
  createRateLimit({ db: deps.db, action: 'test', rate: { count, seconds: 3600 }, ...given });
const caller = (id = uniqueId()) => ({ id, key: String(id), scopes: new Set<string>() });
const outcomes = async (asked: Promise<void>[]) =>
  (await Promise.allSettled(asked)).filter(({ status }) => status === 'fulfilled').length;

describe('a rate limit', () => {
  it.each([1, 7, 30])('allows %i requests over any number of concurrent instances', async (count) => {
    const user = caller();
    const limits = [hourly(count), hourly(count, { db: other })];
    const asked = Array.from({ length: 40 }, (_, n) => limits[n % 2]?.(user) ?? Promise.reject());
    expect(await outcomes(asked)).toBe(count);
  });

  it('refuses a flood of one user without a query for each request', async () => {
    const user = caller();
    let asked = 0;
    const counting = connectDatabase({ url: stack.DATABASE_URL, name: unique('counting') }).withPlugin({
      transformQuery: ({ node }) => {
        asked += 1;
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const limit = hourly(10, { db: counting });
    expect(await outcomes(Array.from({ length: 3000 }, () => limit(user)))).toBe(10);
    expect(asked).toBe(10);
    await counting.destroy();
  });

  it('remembers that other instances have used the whole limit', async () => {
    const user = caller();
    await hourly(1)(user);
    const limit = hourly(1);
    const refused = async () => limit(user).catch(({ headers }) => Number(headers['retry-after']));
    const said = await refused();
    expect(said).toBeGreaterThan(3500);
    expect(await refused()).toBeLessThanOrEqual(said as number);
    expect(await refused()).toBeGreaterThan(3500);
  });

  it('a request above the limit is answered with 429, the limit and the time to wait', async () => {
    const user = caller();
    await hourly(2)(user);
    await hourly(2)(user);
    const refused = await hourly(2)(user).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      status: 429,
      title: 'Too many requests',
      detail: expect.stringMatching(/^test: expected at most 2 in 3600 s; try again in \d+ s$/),
    });
    const wait = Number((refused as { headers: Record<string, string> }).headers['retry-after']);
    expect(wait).toBeGreaterThan(800);
    expect(wait).toBeLessThanOrEqual(1800);
  });

  it('a user may continue after that time', async () => {
    const user = caller();
    const limit = createRateLimit({ db: deps.db, action: 'test', rate: { count: 1, seconds: 1 } });
    await limit(user);
    await expect(limit(user)).rejects.toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    await expect
      .poll(
        () =>
          limit(user)
            .then(() => 'in')
            .catch(() => 'out'),
        { timeout: 10_000 },
      )
      .toBe('in');
  });

  it('counts each user and each action separately', async () => {
    const user = caller();
    await hourly(1)(user);
    await hourly(1)(caller());
    await hourly(1, { action: 'test more' })(user);
    await expect(hourly(1)(user)).rejects.toMatchObject({ status: 429 });
  });

  it('limits nothing if it is off', async () => {
    const user = caller();
    const off = hourly(1, { rate: undefined });
    expect(await outcomes(Array.from({ length: 5 }, () => off(user)))).toBe(5);
  });

  it('is deleted when no part of it is used any more', async () => {
    const [busy, idle] = [caller(), caller()];
    await hourly(1)(busy);
    await createRateLimit({ db: deps.db, action: 'test', rate: { count: 1, seconds: 0.001 } })(idle);
    const left = async () => {
      await deleteUnused(deps.db);
      const rows = await deps.db
        .selectFrom('rate_limits')
        .select('user_id')
        .where('user_id', 'in', [busy.id, idle.id])
        .execute();
      return rows.map(({ user_id }) => user_id);
    };
    await expect.poll(left).toEqual([busy.id]);
  });
});

describe('with a rate limit', () => {
  const limited = { ...deps, limit: hourly(1, { action: 'test routes' }) };
  const walk = { dog: 'Rex', at: '2999-01-01T09:00:00Z', minutes: 30 };
  type Handler = (event: HttpEvent, lambda: typeof context) => Promise<HttpReply>;
  it.each<[string, Handler, unknown]>([
    ['POST /alerts', createRaise(limited), { routing_key: 'info.test', message: 'x' }],
    ['POST /pictures', createUpload(limited), {}],
    ['POST /uploads', createPresign({ ...limited, maxBytes: 10 }), { content_type: 'image/jpeg', bytes: 5 }],
    ['POST /pictures/{id}/complete', createComplete(limited), {}],
    ['POST /dog-walks', createOrderWalk({ ...limited, orders }), walk],
  ])('%s answers 429 above the limit of the user', async (_route, handler, body) => {
    const user = uniqueId();
    const event = httpEvent({ method: 'POST', body, authorization: await bearer(user) });
    await limited.limit(caller(user));
    const reply = await handler(event, context);
    expect(reply).toMatchObject({
      statusCode: 429,
      headers: { 'retry-after': expect.stringMatching(/^\d+$/), 'X-Content-Type-Options': 'nosniff' },
    });
    expect(JSON.parse(reply.body ?? '')).toMatchObject({ status: 429, title: 'Too many requests' });
  });
});

describe('a rate limit without the database', () => {
  const unavailable = connectDatabase({
    url: 'postgres://user:secret@127.0.0.1:9/none',
    name: unique('unavailable'),
  });
  const slow = connectDatabase({ url: stack.DATABASE_URL, name: unique('slow'), connections: 1 });
  afterAll(() => Promise.all([unavailable.destroy(), slow.destroy()]));
  const warnings: unknown[] = [];
  const warn = (fields: unknown) => void warnings.push(fields);
  const log = { debug: warn, info: warn, warn, error: warn };
  beforeAll(() => void warnings.splice(0));

  it('an instance counts by itself while the database is unavailable, and logs that once', async () => {
    const limit = hourly(2, { db: unavailable, log });
    const handler = createRaise({ ...deps, limit });
    const event = httpEvent({
      body: { routing_key: 'info.test', message: 'x' },
      authorization: await bearer(uniqueId()),
    });
    const statuses: unknown[] = [];
    for (let n = 0; n < 3; n += 1) statuses.push((await handler(event, context)).statusCode);
    expect(statuses).toEqual([202, 202, 429]);
    expect(warnings).toEqual([{ action: 'test', err: expect.objectContaining({ code: 'ERR_UNAVAILABLE' }) }]);
  });

  it('refuses a flood of one user, and allows the requests of others', async () => {
    const limit = hourly(5, { db: unavailable });
    const flooder = caller();
    expect(await outcomes(Array.from({ length: 1000 }, () => limit(flooder)))).toBe(5);
    expect(await outcomes(Array.from({ length: 20 }, () => limit(caller())))).toBe(20);
  });

  it('a silent database is waited for only as long as configured', async () => {
    const user = caller();
    // The only connection is in use.
    await slow.connection().execute(async () => {
      const limit = hourly(2, { db: slow, waitMs: 50 });
      await limit(user);
      await limit(user);
      await expect(limit(user)).rejects.toMatchObject({ status: 429 });
    });
  });

  it('uses the database again when it is available', async () => {
    const limit = hourly(1, { db: slow, waitMs: 50, pauseMs: 0 });
    await slow.connection().execute(() => limit(caller()));
    const counted = async () => {
      const user = caller();
      await limit(user);
      return deps.db.selectFrom('rate_limits').select('action').where('user_id', '=', user.id).execute();
    };
    await expect.poll(counted, { timeout: 10_000 }).toEqual([{ action: 'test' }]);
  });
});
