import { resource, urlField } from 'warren/functions';
import { z } from 'zod';
import { connectDatabase } from './database.ts';

/** How to reach PostgreSQL. */
export const databaseSettings = () =>
  z.object({
    DATABASE_URL: urlField(
      ['postgres:', 'postgresql:'],
      'postgres://user:password@host:5432/warren',
    ).describe('the PostgreSQL database'),
  });

/** The function's pool of connections; it connects at the first query. */
export const database = resource(databaseSettings, ({ DATABASE_URL }, { name, reread }) =>
  connectDatabase({ url: DATABASE_URL, renewUrl: async () => (await reread()).DATABASE_URL, name }),
);
