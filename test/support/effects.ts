import { drizzle } from 'drizzle-orm/node-postgres';
import { sql as drizzleSql } from 'drizzle-orm/sql';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import {
  drizzleDatabase,
  type EffectsDatabase,
  kyselyDatabase,
  pgDatabase,
  prismaDatabase,
  type Statement,
} from '../../runtime/effects/database.ts';
import { createEffectsTables } from '../../runtime/effects/tables.ts';
import { type OwnDatabase, ownDatabase } from './database.ts';
import { prismaClient } from './prisma.ts';

/** A client of PostgreSQL with which a test inserts a name into the table `parcels`. */
export interface ClientUnderTest {
  database: EffectsDatabase<unknown>;
  ship(tx: unknown, name: string): Promise<unknown>;
}

/** A database with the tables of effects and a table `parcels` without any unique key. */
export async function effectsDatabase(): Promise<
  OwnDatabase & { run: Statement; clients: Record<'pg' | 'kysely' | 'drizzle' | 'prisma', ClientUnderTest> }
> {
  const own = await ownDatabase();
  const pool = new pg.Pool({ connectionString: own.url, max: 10 });
  const prisma = prismaClient(own.url);
  const database = pgDatabase(pool);
  await createEffectsTables(database);
  await pool.query('create table parcels (name text not null)');
  const kysely = new Kysely<{ parcels: { name: string } }>({ dialect: new PostgresDialect({ pool }) });
  const client = <Tx>(given: EffectsDatabase<Tx>, ship: (tx: Tx, name: string) => Promise<unknown>) =>
    ({ database: given, ship }) as ClientUnderTest;
  return {
    ...own,
    run: database.run,
    clients: {
      pg: client(database, (tx, name) => tx.query('insert into parcels values ($1)', [name])),
      kysely: client(kyselyDatabase(kysely, sql), (tx, name) =>
        sql`insert into parcels values (${name})`.execute(tx),
      ),
      drizzle: client(drizzleDatabase(drizzle(pool), drizzleSql), async (tx, name) =>
        tx.execute(drizzleSql`insert into parcels values (${name})`),
      ),
      prisma: client(
        prismaDatabase(prisma),
        async (tx, name) => tx.$queryRaw`insert into parcels values (${name})`,
      ),
    },
    async drop() {
      await Promise.all([pool.end(), prisma.$disconnect()]);
      await own.drop();
    },
  };
}
