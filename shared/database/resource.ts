import type { Kysely } from 'kysely';
import { resource, urlField } from 'warren/functions';
import * as z from 'zod';
import { connectDatabase } from './database.ts';
import type { Database } from './schema.ts';

/** How to reach PostgreSQL. */
export const databaseSettings = () =>
  z.object({
    DATABASE_URL: urlField(
      ['postgres:', 'postgresql:'],
      'postgres://user:password@host:5432/warren',
    ).describe('the PostgreSQL database'),
    DATABASE_CONNECTIONS: z.coerce
      .number({ error: 'expected a number of connections' })
      .int('expected a whole number')
      .min(1, 'expected at least 1')
      .max(100, 'expected at most 100')
      .default(10)
      .describe(
        'connections to PostgreSQL that a process opens at most, for all its functions; a deployment to AWS sets 1',
      ),
  });

/** The pool of each database: the functions of a process share one, because a database has few connections for all processes. */
const pools = new Map<string, Kysely<Database>>();

/** The process's pool of connections; it connects at the first query. */
export const database = resource(
  databaseSettings,
  ({ DATABASE_URL: url, DATABASE_CONNECTIONS: connections }, { name, reread }) => {
    const known = pools.get(url);
    if (known) return known;
    const renewUrl = async () => (await reread()).DATABASE_URL;
    const made = connectDatabase({ url, renewUrl, name, connections, onEnd: () => void pools.delete(url) });
    pools.set(url, made);
    return made;
  },
);
