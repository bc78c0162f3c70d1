/** Triggered by `GET /health`: tells whether broker, storage and database can be reached. Reads only, and needs no token. */
import { type Kysely, sql } from 'kysely';
import { createPublisher, type Publisher } from '../../runtime/amqp/publisher.ts';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { json, publicFunction } from '../../runtime/http/function.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import { createStorage, type Storage } from '../../shared/storage/storage.ts';

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

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'database', 'storage', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    storage: createStorage(config.storage),
    publisher: createPublisher({ url: config.broker.AMQP_URL, name }),
    log: createLog(config.log),
  });
});
