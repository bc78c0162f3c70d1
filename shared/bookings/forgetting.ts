import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';

/** Stands for the customer of a forgotten user's orders; no user has this id. */
export const forgottenUser = 0;

/** A walk that a walker expects, and that is canceled because its customer is forgotten. */
export interface CanceledWalk {
  walker: string | null;
  starts_at: Date;
}

/**
 * Removes the user from all of a user's orders. Rows stay, so that a message in flight finds its order; orders for a later time are
 * declined, and their walkers are free again.
 *
 * @returns the canceled walks, whose walkers do not know it.
 */
export async function forgetCustomer(db: Kysely<Database>, userId: number): Promise<CanceledWalk[]> {
  const canceled = await db
    .selectFrom('bookings')
    .select(['walker_name as walker', 'starts_at'])
    .where('user_id', '=', userId)
    .where('service', '=', 'walk')
    .where('status', '=', 'booked')
    .where('ends_at', '>', sql<Date>`now()`)
    .orderBy('starts_at')
    .forUpdate()
    .execute();
  await db
    .updateTable('bookings')
    .set({ status: 'declined', walker_id: null, walker_name: null })
    .where('user_id', '=', userId)
    .where(({ eb, or }) => or([eb('status', '=', 'waiting'), eb('ends_at', '>', sql<Date>`now()`)]))
    .execute();
  await db
    .updateTable('bookings')
    .set({ user_id: forgottenUser, dog: '' })
    .where('user_id', '=', userId)
    .execute();
  return canceled;
}
