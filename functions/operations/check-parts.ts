/**
 * Triggered by `GET /health/parts`: reports whether broker, storage and database are reachable, to operators. Reads only, and keeps
 * its connections for the next call.
 */

import { type Kysely, sql } from 'kysely';
import { type Log, lambda, log, type Publisher, publisher, withDeadline } from 'warren/functions';
import { httpFunction, json } from 'warren/http';
import type { Caller } from '../../shared/auth/caller.ts';
import { authenticateCaller as authenticate } from '../../shared/auth/caller-resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'ready'>;
  publisher: Pick<Publisher, 'ready'>;
  authenticate: Authenticate<Caller>;
  /** Time limit for the answer of each part in milliseconds, default 3000. */
  timeoutMs?: number;
  log?: Log;
}

export function createHandler({ db, storage, publisher, timeoutMs = 3000, log, ...deps }: Deps) {
  const checks = {
    broker: () => publisher.ready(),
    storage: () => storage.ready(),
    database: () => sql`select 1`.execute(db),
  };
  const late = () => new Error(`no answer within ${timeoutMs} ms`);
  return httpFunction({ scope: 'queues:read', log, ...deps }, async () => {
    const states = await Promise.all(
      Object.entries(checks).map(async ([part, check]) => {
        try {
          await withDeadline<unknown>(check(), { ms: timeoutMs, late });
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

export const handler = lambda({ db: database, storage, publisher, authenticate, log }, createHandler);
