/** Triggered by `GET /health`: tells whether broker, storage and database can be reached. Reads only, and needs no token. */

import { type Kysely, sql } from 'kysely';
import { type Log, lambda, log, type Publisher, publisher } from 'warren/functions';
import { json, publicFunction } from 'warren/http';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'ready'>;
  publisher: Pick<Publisher, 'ready'>;
  /** How long each part may take to answer in milliseconds, default 3000. */
  timeoutMs?: number;
  log?: Log;
}

export function createHandler({ db, storage, publisher, timeoutMs = 3000, log }: Deps) {
  const checks = {
    broker: () => publisher.ready(),
    storage: () => storage.ready(),
    database: () => sql`select 1`.execute(db),
  };
  return publicFunction({ log }, async () => {
    const states = await Promise.all(
      Object.entries(checks).map(async ([part, check]) => {
        try {
          await within(timeoutMs, check());
          return [part, 'up'] as const;
        } catch (error) {
          log?.error({ part, err: error }, 'health: a part is down');
          return [part, 'down'] as const;
        }
      }),
    );
    const healthy = states.every(([, state]) => state === 'up');
    const body = { status: healthy ? 'up' : 'down', ...Object.fromEntries(states) };
    return json(healthy ? 200 : 503, body, healthy ? {} : { 'retry-after': '5' });
  });
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export const handler = lambda({ db: database, storage, publisher, log }, createHandler);
