import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, describe, expect, it } from 'vitest';
import { connectDatabase } from '../../../shared/database/database.ts';
import { migrateToLatest } from '../../../shared/database/migrate.ts';
import { loadSampleUsers } from '../../../shared/database/sample.ts';
import { unique } from '../../broker.ts';
import { stack } from '../../stack.ts';

const name = unique('database');
const db = connectDatabase({ url: stack.DATABASE_URL, name });
afterAll(() => db.destroy());

const away = { code: 'ERR_UNAVAILABLE', dependency: 'database' };

describe('the database', () => {
  it('is brought up to date once, by several at the same time', async () => {
    const fresh = `test_${randomUUID().replaceAll('-', '')}`;
    await sql`create database ${sql.id(fresh)}`.execute(db);
    const url = new URL(stack.DATABASE_URL);
    url.pathname = fresh;
    try {
      const runs = await Promise.all([migrateToLatest(url.href), migrateToLatest(url.href)]);
      expect(runs.flat()).toEqual(['0001-initial']);
      expect(await migrateToLatest(url.href)).toEqual([]);
      expect(await loadSampleUsers(url.href)).toBe(await loadSampleUsers(url.href));
    } finally {
      await sql`drop database ${sql.id(fresh)} with (force)`.execute(db);
    }
  });

  it('counts ids of pictures from a billion on, and gives them as numbers', async () => {
    const { rows } = await sql<{ id: number }>`select nextval('picture_ids') as id`.execute(db);
    expect(rows[0]?.id).toBeGreaterThanOrEqual(1_000_000_000);
  });

  it('says that it is away when it can not be reached, and when it lets us not in', async () => {
    const wrong = new URL(stack.DATABASE_URL);
    wrong.password = 'wrong';
    for (const url of ['postgres://127.0.0.1:9/warren', wrong.href]) {
      const nowhere = connectDatabase({ url, name });
      await expect(nowhere.selectFrom('users').selectAll().execute()).rejects.toMatchObject(away);
      await nowhere.destroy();
    }
  });

  it('says that it is away when it cuts a connection, and takes the next query on a new one', async () => {
    const victim = connectDatabase({ url: stack.DATABASE_URL, name: unique('victim'), connections: 1 });
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(victim);
    const waiting = sql`select pg_sleep(20)`.execute(victim);
    const cut = expect(waiting).rejects.toMatchObject(away);
    const running = () =>
      sql`select 1 from pg_stat_activity where pid = ${rows[0]?.pid} and query like '%pg_sleep%'`.execute(db);
    await expect.poll(async () => (await running()).rows.length).toBe(1);
    await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(db);
    await cut;
    expect((await sql`select 1 as one`.execute(victim)).rows).toEqual([{ one: 1 }]);
    await victim.destroy();
  });

  it('lets through what it says of a query itself', async () => {
    const duplicate = db.insertInto('users').values({ id: 1, name: 'again', email: 'again@example.com' });
    await expect(duplicate.execute()).rejects.toMatchObject({ code: '23505' });
  });
});
