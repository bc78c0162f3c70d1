import { type Kysely, sql } from 'kysely';
import { Effects, kyselyDatabase } from 'warren/effects';
import type { Log, PublisherLike } from 'warren/functions';
import type { Database } from './schema.ts';

/** Effects that happen once, on this database. Only what publishes needs a publisher. */
export const effectsOn = (
  db: Kysely<Database>,
  parts: { publisher?: PublisherLike | undefined; log?: Log | undefined } = {},
) => new Effects({ ...parts, database: kyselyDatabase(db, sql) });
