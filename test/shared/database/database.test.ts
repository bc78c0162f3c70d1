import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, describe, expect, it } from 'vitest';
import { connectDatabase } from '../../../shared/database/database.ts';
import { migrateToLatest } from '../../../shared/database/migrate.ts';
import { loadSampleUsers } from '../../../shared/database/sample.ts';
import { unique } from '../../support/broker.ts';
import { uniqueId } from '../../support/deps.ts';
import { withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

const name = unique('database');
const db = connectDatabase({ url: stack.DATABASE_URL, name });
afterAll(() => db.destroy());

const unavailable = { code: 'ERR_UNAVAILABLE', dependency: 'database' };

describe('the database', () => {
  it('is migrated once by concurrent callers', async () => {
    const fresh = `test_${randomUUID().replaceAll('-', '')}`;
    await sql`create database ${sql.id(fresh)}`.execute(db);
    const url = new URL(stack.DATABASE_URL);
    url.pathname = fresh;
    try {
      const runs = await Promise.all([migrateToLatest(url.href), migrateToLatest(url.href)]);
      expect(runs.flat()).toEqual([
        '0001-initial',
        '0002-pictures',
        '0003-uploads',
        '0005-bookings',
        '0006-alert-digests',
        '0007-rate-limits',
        '0008-alert-backlog-passing',
        '0009-friend-requests',
        '0010-picture-notices',
        '0011-effects',
        '0012-alert-pauses',
        '0013-user-identities',
        '0014-friends-notified',
      ]);
      expect(await migrateToLatest(url.href)).toEqual([]);
      expect(await loadSampleUsers(url.href)).toBe(await loadSampleUsers(url.href));
    } finally {
      await sql`drop database ${sql.id(fresh)} with (force)`.execute(db);
    }
  });

  it('counts ids of pictures from a billion, and returns them as numbers', async () => {
    const { rows } = await sql<{ id: number }>`select nextval('picture_ids') as id`.execute(db);
    expect(rows[0]?.id).toBeGreaterThanOrEqual(1_000_000_000);
  });

  it('is unavailable if it cannot be reached, or refuses the login', async () => {
    const wrong = new URL(stack.DATABASE_URL);
    wrong.password = 'wrong';
    for (const url of ['postgres://127.0.0.1:9/warren', wrong.href]) {
      const nowhere = connectDatabase({ url, name });
      await expect(nowhere.selectFrom('users').selectAll().execute()).rejects.toMatchObject(unavailable);
      await nowhere.destroy();
    }
  });

  it('is unavailable if it cuts a connection, and the next query gets a new one', async () => {
    const victim = connectDatabase({ url: stack.DATABASE_URL, name: unique('victim'), connections: 1 });
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(victim);
    const waiting = sql`select pg_sleep(20)`.execute(victim);
    const cut = expect(waiting).rejects.toMatchObject(unavailable);
    const running = () =>
      sql`select 1 from pg_stat_activity where pid = ${rows[0]?.pid} and query like '%pg_sleep%'`.execute(db);
    await expect.poll(async () => (await running()).rows.length).toBe(1);
    await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(db);
    await cut;
    expect((await sql`select 1 as one`.execute(victim)).rows).toEqual([{ one: 1 }]);
    await victim.destroy();
  });

  it('an idle connection that dies does no harm', async () => {
    const victim = connectDatabase({ url: stack.DATABASE_URL, name: unique('idle'), connections: 1 });
    const pid = async () =>
      (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(victim)).rows[0]?.pid;
    const before = await pid();
    await sql`select pg_terminate_backend(${before})`.execute(db);
    const alive = () => sql`select 1 from pg_stat_activity where pid = ${before}`.execute(db);
    await expect.poll(async () => (await alive()).rows.length).toBe(0);
    // The next query may still get the dead connection.
    await expect.poll(() => pid().catch((error: unknown) => error)).toEqual(expect.any(Number));
    expect(await pid()).not.toBe(before);
    await victim.destroy();
  });

  it('a transaction that is cut leaves no change, and the database is unavailable', async () => {
    const victim = connectDatabase({ url: stack.DATABASE_URL, name: unique('cut'), connections: 2 });
    const id = uniqueId();
    const cut = victim.transaction().execute(async (transaction) => {
      await transaction.insertInto('users').values({ id, name: 'x', email: 'x' }).execute();
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(transaction);
      await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(db);
      await sql`select pg_sleep(20)`.execute(transaction);
    });
    await expect(cut).rejects.toMatchObject(unavailable);
    expect(await victim.selectFrom('users').where('id', '=', id).execute()).toEqual([]);
    await victim.destroy();
  });

  it('is unavailable if it is full', async () => {
    const role = `test_${randomUUID().replaceAll('-', '')}`;
    await sql`create role ${sql.id(role)} login password 'full' connection limit 0`.execute(db);
    const url = Object.assign(new URL(stack.DATABASE_URL), { username: role, password: 'full' });
    const full = connectDatabase({ url: url.href, name });
    try {
      await expect(sql`select 1`.execute(full)).rejects.toMatchObject(unavailable);
    } finally {
      await full.destroy();
      await sql`drop role ${sql.id(role)}`.execute(db);
    }
  });

  it('is unavailable if it accepts a connection and is silent, or speaks another protocol', async () => {
    for (const answer of [undefined, 'HTTP/1.1 400 Bad Request\r\n\r\n']) {
      await withFaultyServer(
        (socket) => void socket.once('data', () => (answer ? socket.end(answer) : undefined)),
        async (port) => {
          const strange = connectDatabase({ url: `postgres://127.0.0.1:${port}/x`, name });
          const startedAt = performance.now();
          await expect(sql`select 1`.execute(strange)).rejects.toMatchObject(unavailable);
          expect(performance.now() - startedAt).toBeLessThan(8000);
          await strange.destroy();
        },
      );
    }
  });

  it('returns large ids as exact numbers, and dates as dates', async () => {
    const { rows } = await sql`select ${2 ** 53 - 1}::bigint as id, to_timestamp(0) as at`.execute(db);
    expect(rows).toEqual([{ id: 2 ** 53 - 1, at: new Date(0) }]);
  });

  it('shows the name of the function in pg_stat_activity', async () => {
    const { rows } = await sql`select current_setting('application_name') as name`.execute(db);
    expect(rows).toEqual([{ name }]);
  });

  it.each([
    ['a row that breaks a rule', sql`update pictures set status = 'lost'`, '23514'],
    ['a missing table', sql`select 1 from nothing_here`, '42P01'],
  ])('its error about %s is thrown as it is', async (_what, query, code) => {
    const id = uniqueId();
    await db.insertInto('pictures').values({ id, user_id: 1, image_path: 'x' }).execute();
    await expect(query.execute(db)).rejects.toMatchObject({ code });
  });

  it('database: U+FFFD takes the place of U+0000, which it refuses, in texts and in arrays', async () => {
    const { rows } = await sql`select ${'a\0b'}::text as one, ${['c\0', 'd']}::text[] as more`.execute(db);
    expect(rows).toEqual([{ one: 'a\ufffdb', more: ['c\ufffd', 'd'] }]);
  });

  it('database: ids that differ in bytes that are not UTF-8 stay different', async () => {
    const { rows } = await sql`select ${'\udcfe1'}::text as one, ${'\udcff1'}::text as other`.execute(db);
    expect(rows).toEqual([{ one: '\\udcfe1', other: '\\udcff1' }]);
  });

  it('its error about a query is thrown as it is', async () => {
    const duplicate = db.insertInto('users').values({ id: 1, name: 'again', email: 'again@example.com' });
    await expect(duplicate.execute()).rejects.toMatchObject({ code: '23505' });
  });
});
