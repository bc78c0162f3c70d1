/** The rows of PostgreSQL in docs/guarantees.md: what the server answers, and whose fault it is. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pgDatabase } from '../../../runtime/effects/database.ts';
import { connectDatabase } from '../../../shared/database/database.ts';
import { type OwnDatabase, ownDatabase } from '../../support/database.ts';
import { uniqueId } from '../../support/deps.ts';
import { proxyTo, withFaultyServer } from '../../support/faults.ts';

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

it.each([
  ['XX000', 'Tenant or user not found'],
  ['0A000', 'unsupported startup parameter'],
  ['22023', 'invalid value for a parameter'],
  ['42704', 'unrecognized configuration parameter'],
  ['F0000', 'configuration file error'],
])(
  'database: one that refuses a connection with %s is unavailable, and the next connection is tried',
  async (code, text) => {
    const answer = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${text}\0\0`);
    const size = Buffer.alloc(4);
    size.writeUInt32BE(answer.length + 4);
    const proxy = proxyTo(new URL(own.url));
    let refusing = true;
    const serve = (socket: Socket) => {
      if (refusing) socket.once('data', () => socket.end(Buffer.concat([Buffer.from('E'), size, answer])));
      else proxy.serve(socket);
    };
    await withFaultyServer(serve, async (port) => {
      const db = connectDatabase({ url: Object.assign(new URL(own.url), { port }).href, name: 'refused' });
      const pool = new pg.Pool({ connectionString: Object.assign(new URL(own.url), { port }).href, max: 1 });
      const effect = () => pgDatabase(pool).transaction(async (_client, run) => run`select 1 as one`);
      const refused = (message: string) => ({
        code: 'ERR_UNAVAILABLE',
        message: expect.stringContaining(message),
        cause: { code },
      });
      try {
        await expect(sql`select 1`.execute(db)).rejects.toMatchObject(
          refused(`does not accept our connection (${code}): check DATABASE_URL`),
        );
        await expect(effect()).rejects.toMatchObject(refused(`does not accept our connection (${code})`));
        refusing = false;
        await sql`select 1`.execute(db);
        await effect();
      } finally {
        await Promise.all([db.destroy(), pool.end()]);
      }
    });
  },
);

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

it('database: a query that is canceled while it waits for a locked table is no fault of its message', async () => {
  const name = `locked_${randomUUID()}`;
  const locked = connectDatabase({ url: own.url, name, connections: 1 });
  const cancel = sql<{ done: boolean }>`select pg_cancel_backend(pid) as done from pg_stat_activity
    where application_name = ${name} and wait_event_type = 'Lock'`;
  try {
    await own.db.transaction().execute(async (transaction) => {
      // What a migration does to a table in use.
      await sql`lock table users in access exclusive mode`.execute(transaction);
      const waiting = expect(locked.insertInto('users').values(user()).execute()).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        message: expect.stringContaining('did not end the query in time'),
        cause: { code: '57014' },
      });
      // In place of the time limit of 10 s, which ends it with the same state.
      await expect.poll(async () => (await cancel.execute(own.db)).rows, { timeout: 5000 }).toHaveLength(1);
      await waiting;
    });
    // By the same connection, which is good.
    await locked.insertInto('users').values(user()).execute();
  } finally {
    await locked.destroy();
  }
});

it('database: one that refuses a right is unavailable and named, and the same connection works once it is granted', async () => {
  const role = `test_${randomUUID().replaceAll('-', '')}`;
  await sql`create role ${sql.id(role)} login password 'x'`.execute(own.db);
  const url = Object.assign(new URL(own.url), { username: role, password: 'x' }).href;
  const db = connectDatabase({ url, name: role, connections: 1 });
  const insert = () => db.insertInto('users').values(user()).execute();
  try {
    await expect(insert()).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      message: expect.stringContaining('DATABASE_URL'),
      cause: { code: '42501' },
    });
    await sql`grant insert on users to ${sql.id(role)}`.execute(own.db);
    await insert();
  } finally {
    await db.destroy();
    await sql`drop owned by ${sql.id(role)}`.execute(own.db);
    await sql`drop role ${sql.id(role)}`.execute(own.db);
  }
});

it.each([
  ['25P03', 'ended a transaction that waited'],
  ['25P04', 'ended a transaction that took too long'],
  ['28000', 'refuses the login of DATABASE_URL'],
  ['28P01', 'refuses the login of DATABASE_URL'],
  ['3D000', 'has no database of the name in DATABASE_URL'],
  ['40001', 'ended a conflict of transactions'],
  ['40003', 'ended a conflict of transactions'],
  ['53100', 'has no space on its disk'],
  ['53200', 'lacks resources'],
  ['53300', 'has no connection left'],
  ['53400', 'lacks resources'],
  ['55P03', 'did not get a lock'],
  ['57014', 'did not end the query in time'],
  ['57P01', 'shuts down, or starts'],
  ['57P02', 'shuts down, or starts'],
  ['57P03', 'shuts down, or starts'],
  ['57P05', 'shuts down, or starts'],
  ['58030', 'has an error of its system'],
  ['08006', 'lost the connection'],
  ['08P01', 'does not accept our connection'],
  ['XX001', 'has damaged data'],
  ['XX002', 'has damaged data'],
])('database: one that answers %s is unavailable, because it %s', async (state, text) => {
  const raised = sql.raw(`do $$ begin raise exception 'test' using errcode = '${state}'; end $$`);
  await expect(raised.execute(own.db)).rejects.toMatchObject({
    code: 'ERR_UNAVAILABLE',
    message: expect.stringContaining(`the database ${text}`),
    cause: { code: state },
  });
});

it.each(['22021', '23505', '25001', '40002', '42P01', '55000', 'XX000'])(
  'database: its error %s is about the query, and is thrown as it is',
  async (state) => {
    const raised = sql.raw(`do $$ begin raise exception 'test' using errcode = '${state}'; end $$`);
    await expect(raised.execute(own.db)).rejects.toMatchObject({ code: state });
  },
);
