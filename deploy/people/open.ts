import type { Kysely } from 'kysely';
import { environment } from 'warren/cli';
import { readSettings } from 'warren/functions';
import { connectDatabase } from '../../shared/database/database.ts';
import { databaseSettings } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';

/**
 * Runs a command's work with the database that DATABASE_URL names.
 *
 * @throws WarrenError ERR_CONFIG without a valid DATABASE_URL; UnavailableError if it cannot be reached.
 */
export async function withDatabase<Result>(work: (db: Kysely<Database>) => Promise<Result>): Promise<Result> {
  const { database } = readSettings({ database: databaseSettings }, environment());
  const db = connectDatabase({ url: database.DATABASE_URL, name: 'warren people', connections: 2 });
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}
