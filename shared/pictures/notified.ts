import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';

/**
 * Records that the friends of a picture's owner are notified of it. It does not depend on any of them: the owner, who reads it, must
 * not learn who has no address or wants no mails. A second call changes nothing.
 */
export async function markNotified(db: Kysely<Database>, pictureId: number): Promise<void> {
  await db
    .updateTable('pictures')
    .set({ friends_notified_at: sql<Date>`now()` })
    .where('id', '=', pictureId)
    .where('friends_notified_at', 'is', null)
    .execute();
}
