import { inspect } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isUnavailable } from '../../../runtime/base/unavailable.ts';
import { pgDatabase, prismaDatabase } from '../../../runtime/effects/database.ts';
import { unique } from '../../support/broker.ts';
import { effectsDatabase } from '../../support/effects.ts';
import { prismaClient } from '../../support/prisma.ts';

describe('the database of effects', () => {
  let own: Awaited<ReturnType<typeof effectsDatabase>>;
  beforeAll(async () => {
    own = await effectsDatabase();
  });
  afterAll(() => own.drop());

  it('pg: an idle connection that the server ends does not end the process, and the pool opens another', async () => {
    const pool = new pg.Pool({ connectionString: own.url, max: 1 });
    const { run } = pgDatabase(pool);
    const [row] = await run`select pg_backend_pid() as pid`;
    await own.run`select pg_terminate_backend(${Number(row?.['pid'])})`;
    await expect.poll(() => pool.totalCount).toBe(0);
    expect(await run`select 1 as one`).toEqual([{ one: 1 }]);
    await pool.end();
  });

  it('pg: a connection that the server ends in the middle of a transaction fails the transaction, and does not end the process', async () => {
    const pool = new pg.Pool({ connectionString: own.url, max: 1 });
    const { run, transaction } = pgDatabase<pg.PoolClient>(pool);
    const work = transaction(async (client, within) => {
      const [row] = await within`select pg_backend_pid() as pid`;
      const ended = new Promise((resolve) => client.once('end', resolve));
      await own.run`select pg_terminate_backend(${Number(row?.['pid'])})`;
      await ended;
      return within`select 1 as one`;
    });
    await expect(work).rejects.toThrow();
    expect(await run`select 1 as one`).toEqual([{ one: 1 }]);
    await pool.end();
  });

  it.each(['pg', 'kysely', 'drizzle', 'prisma'] as const)(
    '%s: a transaction in which a statement failed is never taken for committed, although its error was caught',
    async (name) => {
      const { database, ship } = own.clients[name];
      const parcel = unique('parcel');
      const work = database.transaction(async (tx, run) => {
        await ship(tx, parcel);
        await run`select * from missing`.catch(() => undefined);
      });
      // Drizzle's error has it as its cause.
      expect(inspect(await work.catch((error: unknown) => error))).toMatch(/transaction is aborted/);
      expect(await own.run`select name from parcels where name = ${parcel}`).toEqual([]);
    },
  );

  it('pg: a pool with a listener of its own keeps only that, however often it is given', async () => {
    const pool = new pg.Pool({ connectionString: own.url });
    const listener = () => undefined;
    pool.on('error', listener);
    for (let n = 0; n < 20; n += 1) pgDatabase(pool);
    expect(pool.listeners('error')).toEqual([listener]);
    await pool.end();
  });

  it('prisma: an unavailable database counts as an unavailable dependency', async () => {
    const prisma = prismaClient('postgres://nobody@127.0.0.1:1/none');
    const { run, transaction } = prismaDatabase(prisma);
    for (const work of [() => run`select 1`, () => transaction(async () => 1)]) {
      expect(isUnavailable(await work().catch((error: unknown) => error))).toBe(true);
    }
    await prisma.$disconnect();
  });

  it('prisma: a connection that the server ends counts as an unavailable dependency, and a wrong statement does not', async () => {
    const { run } = own.clients.prisma.database;
    const ended = run`select pg_terminate_backend(pg_backend_pid())`;
    expect(isUnavailable(await ended.catch((error: unknown) => error))).toBe(true);
    const wrong = run`select * from missing`;
    expect(isUnavailable(await wrong.catch((error: unknown) => error))).toBe(false);
  });
});
