/** The rows of the bookings, and the choice of the walker. */

import { type Kysely, sql, type Transaction } from 'kysely';
import { RejectedError, WarrenError } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import type { BookingStatus } from '../database/tables/bookings.ts';
import { forgottenUser } from './forgetting.ts';
import type { Booking } from './orders.ts';
import { lockWalkers } from './walkers.ts';

/** A row of the table `bookings`. */
export type BookingRow = Awaited<ReturnType<typeof ensureBooking>>;

/**
 * Creates the row of an order if it does not exist. An order arrives more than once, and in more than one way.
 *
 * @param known further columns of a new row; ignored if the row exists.
 * @returns the row; also for the order of a forgotten user, whose row does not have the order's fields any more.
 * @throws RejectedError if the id belongs to another order.
 */
export async function ensureBooking(
  db: Kysely<Database>,
  booking: Booking,
  known: { status?: BookingStatus; walker_name?: string | null; walk_id?: string | null } = {},
) {
  await db
    .insertInto('bookings')
    .values({ ...booking, ...known, ...(known.status === 'booked' && { booked_at: sql<Date>`now()` }) })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
  const row = await db
    .selectFrom('bookings')
    .selectAll()
    .where('id', '=', booking.id)
    .executeTakeFirstOrThrow();
  if (row.user_id === forgottenUser) return row;
  const fields = ['service', 'user_id', 'dog', 'starts_at', 'ends_at'] as const;
  const differing = fields.filter((field) => row[field].valueOf() !== booking[field].valueOf());
  if (differing.length === 0) return row;
  throw new RejectedError(`order ${booking.id} is known with another ${differing.join(' and ')}`);
}

/** No walker is free at that time yet. */
export class NoWalkerError extends WarrenError {
  override name = 'NoWalkerError';

  constructor({ starts_at, ends_at }: Booking) {
    super(
      'ERR_APP_NO_WALKER',
      `no walker is free from ${starts_at.toISOString()} to ${ends_at.toISOString()}`,
    );
  }
}

/**
 * Assigns a walk to the free walker who has the least work around that time. A walk that is booked or declined stays as it is.
 *
 * @returns the row: `booked`, or `declined` if the walk was declined before.
 * @throws NoWalkerError while no walker is free; RejectedError if the id belongs to another order.
 */
export async function bookWalk(db: Kysely<Database>, booking: Booking): Promise<BookingRow> {
  const known = await ensureBooking(db, booking);
  if (known.status !== 'waiting') return known;
  return db.transaction().execute(async (transaction) => {
    // One choice at a time, because concurrent choices would find the same walker the least busy. The constraint on the table
    // protects against other programs that write to it.
    await lockWalkers(transaction);
    const ours = transaction.selectFrom('bookings').selectAll().where('id', '=', booking.id).forUpdate();
    const row = await ours.executeTakeFirstOrThrow();
    if (row.status !== 'waiting') return row;
    const walker = await leastBusy(transaction, booking);
    if (!walker) throw new NoWalkerError(booking);
    const booked = { status: 'booked', walker_id: walker.id, walker_name: walker.name } as const;
    return transaction
      .updateTable('bookings')
      .set({ ...booked, booked_at: sql<Date>`now()` })
      .where('id', '=', booking.id)
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}

/** Books a wash, which needs no walker. A wash that is booked stays as it is. */
export async function bookWash(db: Kysely<Database>, booking: Booking, walkId: string): Promise<BookingRow> {
  const known = await ensureBooking(db, booking);
  if (known.status !== 'waiting') return known;
  return db
    .updateTable('bookings')
    .set({ status: 'booked', booked_at: sql<Date>`now()`, walk_id: walkId })
    .where('id', '=', booking.id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Declines a walk that still waits for a walker. Any other walk stays as it is. @returns the status after that. */
export async function declineWalk(db: Kysely<Database>, { id: bookingId }: Booking): Promise<BookingStatus> {
  await db
    .updateTable('bookings')
    .set({ status: 'declined' })
    .where('id', '=', bookingId)
    .where('status', '=', 'waiting')
    .execute();
  const row = db.selectFrom('bookings').select('status').where('id', '=', bookingId);
  return (await row.executeTakeFirst())?.status ?? 'waiting';
}

/** Returns the free walker with the fewest minutes within half a day of the walk; the first one if several have the same. */
async function leastBusy(transaction: Transaction<Database>, { starts_at, ends_at }: Booking) {
  const halfADay = 12 * 3_600_000;
  const [from, to] = [-halfADay, halfADay].map((ms) => new Date(starts_at.getTime() + ms));
  const { rows } = await sql<{ id: number; name: string }>`
    select id, name from walkers
    where not exists (
      select from bookings
      where walker_id = walkers.id and tstzrange(starts_at, ends_at) && tstzrange(${starts_at}, ${ends_at})
    )
    order by (
      select coalesce(sum(ends_at - starts_at), '0') from bookings
      where walker_id = walkers.id and starts_at between ${from} and ${to}
    ), id
    limit 1`.execute(transaction);
  return rows[0];
}

/** Returns a booking in the form that its customer sees. */
export function describeBooking(row: Booking & Partial<BookingRow>): Record<string, unknown> {
  const { id, service, dog, starts_at, ends_at, walker_name, walk_id } = row;
  return {
    id,
    status: row.status ?? 'waiting',
    dog,
    at: starts_at.toISOString(),
    minutes: (ends_at.getTime() - starts_at.getTime()) / 60_000,
    ...(service === 'walk' && { walker: walker_name ? { name: walker_name } : null }),
    ...(service === 'wash' && { walk: walk_id ? pathOf('walk', walk_id) : null }),
  };
}

/** Returns the path of a booking over HTTP. */
export const pathOf = (service: Booking['service'], bookingId: string): string =>
  `${service === 'walk' ? '/dog-walks' : '/dog-washes'}/${bookingId}`;
