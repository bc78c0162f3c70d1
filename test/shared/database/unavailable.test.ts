/** The rows of PostgreSQL in docs/guarantees.md: what the server answers, and whose fault it is. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectDatabase } from '../../../shared/database/database.ts';
import { type OwnDatabase, ownDatabase } from '../../support/database.ts';
import { uniqueId } from '../../support/deps.ts';

let own: OwnDatabase;
beforeAll(async () => {
  own = await ownDatabase();
});
afterAll(() => own.drop());

const user = () => ({ id: uniqueId(), name: 'x', email: 'x' });

it('database: one that is read-only is unavailable, and its connections are replaced once it takes writes', async () => {
  const role = `test_${randomUUID().replaceAll('-', '')}`;
  await sql`create role ${sql.id(role)} login superuser password 'x'`.execute(own.db);
  await sql`alter role ${sql.id(role)} set default_transaction_read_only = on`.execute(own.db);
  const url = Object.assign(new URL(own.url), { username: role, password: 'x' }).href;
  const db = connectDatabase({ url, name: role, connections: 3 });
  const insert = () => db.insertInto('users').values(user()).execute();
  try {
    // All connections of the pool lead to the read-only server.
    await Promise.all([1, 2, 3].map(() => sql`select pg_sleep(0.1)`.execute(db)));
    await expect(insert()).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      message: expect.stringContaining('the database is read-only'),
      cause: { code: '25006' },
    });
    // A session keeps its setting: only new connections take writes.
    await sql`alter role ${sql.id(role)} set default_transaction_read_only = off`.execute(own.db);
    await Promise.all([insert(), insert(), insert()]);
  } finally {
    await db.destroy();
    await sql`drop role ${sql.id(role)}`.execute(own.db);
  }
});

it('database: a deadlock is unavailable, and the other transaction ends well', async () => {
  const rows = [user(), user()];
  await own.db.insertInto('users').values(rows).execute();
  const rename = async (ids: readonly number[], met: () => Promise<unknown>) =>
    own.db.transaction().execute(async (transaction) => {
      for (const id of ids) {
        await transaction.updateTable('users').set({ name: 'y' }).where('id', '=', id).execute();
        await met();
      }
    });
  let arrived = 0;
  let open: () => void = () => undefined;
  const both = new Promise<void>((resolve) => {
    open = resolve;
  });
  const met = async () => {
    arrived += 1;
    if (arrived === 2) open();
    await both;
  };
  const ids = rows.map(({ id }) => id);
  const results = await Promise.allSettled([rename(ids, met), rename(ids.toReversed(), met)]);
  const failed = results.filter((result) => result.status === 'rejected');
  expect(failed).toHaveLength(1);
  expect(failed[0]?.reason).toMatchObject({ code: 'ERR_UNAVAILABLE', cause: { code: '40P01' } });
});

it.each([
  ['28P01', 'refuses our login'],
  ['3D000', 'has no database of this name'],
  ['40001', 'ended a conflict of transactions'],
  ['53100', 'has no space on its disk'],
  ['53200', 'lacks resources'],
  ['53300', 'has no connection left'],
  ['55P03', 'does not answer'],
  ['57P01', 'shuts down, or starts'],
  ['57P03', 'shuts down, or starts'],
  ['58030', 'does not answer'],
  ['08006', 'does not answer'],
])('database: one that answers %s is unavailable, because it %s', async (state, text) => {
  const raised = sql.raw(`do $$ begin raise exception 'test' using errcode = '${state}'; end $$`);
  await expect(raised.execute(own.db)).rejects.toMatchObject({
    code: 'ERR_UNAVAILABLE',
    message: expect.stringContaining(`the database ${text}`),
    cause: { code: state },
  });
});

it.each(['22021', '23505', '42P01', '42501', '57014'])(
  'database: its error %s is about the query, and is thrown as it is',
  async (state) => {
    const raised = sql.raw(`do $$ begin raise exception 'test' using errcode = '${state}'; end $$`);
    await expect(raised.execute(own.db)).rejects.toMatchObject({ code: state });
  },
);
