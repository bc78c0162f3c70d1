/**
 * Triggered by a schedule, each hour: deletes uploads that were never completed, removes the objects of deleted pictures from the
 * bucket, and deletes old idempotency keys, rate limits and leases. Each step may be interrupted anywhere: a row is deleted, or marked,
 * after its objects, so that the next run continues.
 */
import type { Kysely } from 'kysely';
import { type Log, lambda, log, silentLog } from 'warren/functions';
import { effectsOn } from '../../shared/database/effects.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { deleteOldKeys } from '../../shared/http/idempotency.ts';
import { deleteUnused } from '../../shared/http/rate-limit.ts';
import { findLeftovers, forgetObjects } from '../../shared/pictures/cleaning.ts';
import { removeObjects } from '../../shared/pictures/removal.ts';
import { expireUploads } from '../../shared/pictures/state.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'list' | 'remove'>;
  log?: Log;
}

const batchSize = 100;

export function createHandler({ db, storage, log = silentLog }: Deps) {
  /** Throws if the storage or the database is unavailable; the next run continues. */
  return async (): Promise<{ removed: number }> => {
    await deleteOldKeys(db);
    await deleteUnused(db);
    await effectsOn(db).cleanUp();
    await expireUploads(db);
    let removed = 0;
    for (let after = 0; ; ) {
      const pictures = await findLeftovers(db, { after, limit: batchSize });
      for (const picture of pictures) {
        await removeObjects({ db, storage }, picture);
        await forgetObjects(db, picture);
      }
      removed += pictures.length;
      after = pictures.at(-1)?.id ?? 0;
      if (pictures.length < batchSize) break;
    }
    if (removed > 0) log.info({ removed }, 'removed the objects of deleted pictures');
    return { removed };
  };
}

export const handler = lambda({ db: database, storage, log }, createHandler);
