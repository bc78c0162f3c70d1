/**
 * Triggered by a schedule, each hour: gives up uploads that were never completed, removes what is left in the bucket of
 * deleted pictures, and forgets old idempotency keys and rate limits. Each step may be broken off anywhere: the row goes, or
 * is marked, after its objects, so that the next run goes on.
 */

import { type Kysely, sql } from 'kysely';
import { type Log, lambda, log, silentLog } from 'warren/functions';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { keptHours } from '../../shared/http/idempotency.ts';
import { forgetUnused } from '../../shared/http/rate-limit.ts';
import { removeObjects } from '../../shared/pictures/removal.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'list' | 'remove'>;
  log?: Log;
}

const batch = 100;

export function createHandler({ db, storage, log = silentLog }: Deps) {
  /** Throws where the storage or the database is away; the next run goes on. */
  return async (): Promise<{ removed: number }> => {
    await db
      .deleteFrom('idempotency_keys')
      .where('created_at', '<', sql<Date>`now() - ${keptHours} * interval '1 hour'`)
      .execute();
    await forgetUnused(db);
    await giveUpUploads(db);
    let removed = 0;
    for (let after = 0; ; ) {
      const pictures = await leftovers(db, after);
      for (const picture of pictures) {
        await removeObjects({ db, storage }, picture);
        await settle(db, picture);
      }
      removed += pictures.length;
      after = pictures.at(-1)?.id ?? 0;
      if (pictures.length < batch) break;
    }
    if (removed > 0) log.info({ removed }, 'removed what was left of pictures');
    return { removed };
  };
}

/** From here on they can't be completed: the row decides between that and this. */
async function giveUpUploads(db: Kysely<Database>): Promise<void> {
  await db
    .updateTable('pictures')
    .set({ deleted_at: sql<Date>`now()` })
    .where('status', '=', 'awaiting')
    .where('announced_at', 'is', null)
    .where('deleted_at', 'is', null)
    .where('created_at', '<', sql<Date>`now() - interval '1 day'`)
    .execute();
}

/**
 * Deleted pictures, once nothing can come into the bucket for them any more: a signed address is good for an hour, and a
 * function that writes renditions takes minutes.
 */
async function leftovers(db: Kysely<Database>, after: number) {
  return db
    .selectFrom('pictures')
    .select(['id', 'image_path', 'status'])
    .where('deleted_at', 'is not', null)
    .where('removed_at', 'is', null)
    .where('id', '>', after)
    .where(({ eb, and, or }) =>
      or([
        eb('deleted_at', '<', sql<Date>`now() - interval '2 hours'`),
        and([eb('status', '=', 'awaiting'), eb('created_at', '<', sql<Date>`now() - interval '1 day'`)]),
      ]),
    )
    .orderBy('id')
    .limit(batch)
    .execute();
}

/** No message was ever published about an upload that was not completed: its row may go. Any other's stays. */
async function settle(db: Kysely<Database>, { id, status }: { id: number; status: string }): Promise<void> {
  if (status === 'awaiting') {
    await db.deleteFrom('pictures').where('id', '=', id).execute();
    return;
  }
  await db.deleteFrom('variants').where('picture_id', '=', id).execute();
  await db.updateTable('pictures').set({ removed_at: sql<Date>`now()` }).where('id', '=', id).execute();
}

export const handler = lambda({ db: database, storage, log }, createHandler);
