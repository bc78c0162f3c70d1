import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { connectDatabase } from '../../shared/database/database.ts';
import { migrateToLatest } from '../../shared/database/migrate.ts';
import type { Database } from '../../shared/database/schema.ts';
import { stack } from './stack.ts';

/** A database for one test file, for tests that depend on whole tables, such as the list of free walkers. */
export interface OwnDatabase {
  url: string;
  db: Kysely<Database>;
  drop(): Promise<void>;
}

export async function ownDatabase(): Promise<OwnDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const server = connectDatabase({ url: stack.DATABASE_URL, name, connections: 1 });
  await sql`create database ${sql.id(name)}`.execute(server);
  const url = Object.assign(new URL(stack.DATABASE_URL), { pathname: name }).href;
  await migrateToLatest(url);
  const db = connectDatabase({ url, name, connections: 10 });
  return {
    url,
    db,
    async drop() {
      await db.destroy();
      await sql`drop database ${sql.id(name)} with (force)`.execute(server);
      await server.destroy();
    },
  };
}
