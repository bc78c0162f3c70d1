import { type Kysely, sql } from 'kysely';
import { Effects, kyselyDatabase } from 'warren/effects';
import type { Database } from './schema.ts';

/** Effects that happen once, on this database. */
export const effectsOn = (db: Kysely<Database>) => new Effects({ database: kyselyDatabase(db, sql) });
