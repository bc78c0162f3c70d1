import { inspect } from 'node:util';
import { drizzle } from 'drizzle-orm/node-postgres';
import { sql as drizzleSql } from 'drizzle-orm/sql';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isUnavailable } from '../../../runtime/base/unavailable.ts';
import {
  drizzleDatabase,
  type EffectsDatabase,
  kyselyDatabase,
  pgDatabase,
  prismaDatabase,
  type Statement,
} from '../../../runtime/effects/database.ts';
import { unique } from '../../support/broker.ts';
import { effectsDatabase } from '../../support/effects.ts';
import { prismaClient } from '../../support/prisma.ts';

describe('the database of effects', () => {
  let own: Awaited<ReturnType<typeof effectsDatabase>>;
  beforeAll(async () => {
    own = await effectsDatabase();
  });
  afterAll(() => own.drop());

  /** The listeners that docs/effects.md shows for Kysely, which does not show its pool. */
  const listening = (pool: pg.Pool) => {
    pool.on('error', () => undefined);
    return pool.on('connect', (client) => void client.on('error', () => undefined));
  };
  const databases: Record<string, (pool: pg.Pool) => EffectsDatabase<unknown>> = {
    pg: (pool) => pgDatabase(pool) as EffectsDatabase<unknown>,
    drizzle: (pool) => drizzleDatabase(drizzle(pool), drizzleSql) as EffectsDatabase<unknown>,
    kysely: (pool) =>
      kyselyDatabase(
        new Kysely({ dialect: new PostgresDialect({ pool: listening(pool) }) }),
        sql,
      ) as EffectsDatabase<unknown>,
  };
  const end = async (run: Statement) => {
    const [row] = await run`select pg_backend_pid() as pid`;
    await own.run`select pg_terminate_backend(${Number(row?.['pid'])})`;
  };

  it.each(Object.entries(databases))(
    '%s: an idle connection that the server ends does not end the process, and the pool opens another',
    async (_name, open) => {
      const pool = new pg.Pool({ connectionString: own.url, max: 1 });
      const { run } = open(pool);
      await end(run);
      await expect.poll(() => pool.totalCount).toBe(0);
      expect(await run`select 1 as one`).toEqual([{ one: 1 }]);
      await pool.end();
    },
  );

  it.each(Object.entries(databases))(
    '%s: a connection that the server ends in the middle of a transaction fails the transaction, and does not end the process',
    async (_name, open) => {
      const pool = new pg.Pool({ connectionString: own.url, max: 1 });
      const ended = new Promise((resolve) => pool.once('connect', (client) => client.once('end', resolve)));
      const { run, transaction } = open(pool);
      const work = transaction(async (_tx, within) => {
        await end(within);
        await ended;
        return within`select 1 as one`;
      });
      await expect(work).rejects.toThrow();
      expect(await run`select 1 as one`).toEqual([{ one: 1 }]);
      await pool.end();
    },
  );

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
