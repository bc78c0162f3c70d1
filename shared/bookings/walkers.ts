/** The dog walkers: their rows, and the lock under which one is chosen. */
import { type Kysely, sql, type Transaction } from 'kysely';
import { WarrenError } from 'warren/functions';
import type { Database } from '../database/schema.ts';

type Db = Kysely<Database>;

/** A dog walker; without a phone number, walks are announced by mail only. */
export interface Walker {
  id: number;
  name: string;
  email: string;
  phone: string | null;
}

/** Waits until no other transaction chooses or removes a walker, and keeps the others waiting until this one ends. */
export async function lockWalkers(transaction: Transaction<Database>): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('choosing a walker'))`.execute(transaction);
}

/** Adds a walker, who gets walks from now on. Returns the id. */
export async function addWalker(db: Db, walker: Omit<Walker, 'id'>): Promise<number> {
  const { id } = await db.insertInto('walkers').values(walker).returning('id').executeTakeFirstOrThrow();
  return id;
}

/** All walkers by id. */
export async function listWalkers(db: Db): Promise<Walker[]> {
  return db.selectFrom('walkers').selectAll().orderBy('id').execute();
}

/** A walker still has walks, and cannot be removed. */
export class WalkerBusyError extends WarrenError {
  override name = 'WalkerBusyError';

  constructor(id: number, walks: number) {
    super(
      'ERR_APP_WALKER_BUSY',
      `walker ${id} has ${walks} walks ahead: remove the walker after the last one`,
    );
  }
}

/**
 * Removes a walker with everything that names the walker: the rows of past walks stay without the name.
 *
 * @returns false if there is no such walker.
 * @throws WalkerBusyError if walks are booked that have not ended.
 */
export async function removeWalker(db: Db, id: number): Promise<boolean> {
  return db.transaction().execute(async (transaction) => {
    await lockWalkers(transaction);
    const walker = await transaction
      .selectFrom('walkers')
      .select(['email', 'phone'])
      .where('id', '=', id)
      .executeTakeFirst();
    if (!walker) return false;
    const { ahead } = await transaction
      .selectFrom('bookings')
      .select(({ fn }) => fn.countAll<number>().as('ahead'))
      .where('walker_id', '=', id)
      .where('ends_at', '>', sql<Date>`now()`)
      .executeTakeFirstOrThrow();
    if (ahead > 0) throw new WalkerBusyError(id, ahead);
    const recipients = [walker.email, ...(walker.phone === null ? [] : [walker.phone])];
    await transaction
      .deleteFrom('mails')
      .where('recipient', 'in', recipients)
      .where('key', 'like', 'walk:%')
      .execute();
    await transaction
      .updateTable('bookings')
      .set({ walker_id: null, walker_name: null })
      .where('walker_id', '=', id)
      .execute();
    await transaction.deleteFrom('walkers').where('id', '=', id).execute();
    return true;
  });
}
