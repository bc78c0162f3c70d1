/** The rows of what was ordered, and who walks which dog when. */

import { type Kysely, sql, type Transaction } from 'kysely';
import { RejectedError, WarrenError } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import type { BookingStatus } from '../database/tables/bookings.ts';
import type { Booking } from './orders.ts';

/** A row of the bookings. */
export type BookingRow = Awaited<ReturnType<typeof ensureBooking>>;

/**
 * Makes the row of an order, unless it is there: an order comes more than once, and by more than one way.
 *
 * @param known what is known of it beside the order; does nothing where the row is there.
 * @throws RejectedError where that id was given to another order.
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
  const fields = ['service', 'user_id', 'dog', 'starts_at', 'ends_at'] as const;
  const differing = fields.filter((field) => row[field].valueOf() !== booking[field].valueOf());
  if (differing.length === 0) return row;
  throw new RejectedError(`order ${booking.id} is known with another ${differing.join(' and ')}`);
}

/** No walker is free at that time, up to now. */
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
 * Gives a walk to the walker who is free then and has the least to do around it. Done before, it only tells what it was.
 *
 * @returns the row: `booked`, or `declined` where it had been given up before.
 * @throws NoWalkerError while nobody is free, RejectedError as `ensureBooking`.
 */
export async function bookWalk(db: Kysely<Database>, booking: Booking): Promise<BookingRow> {
  const known = await ensureBooking(db, booking);
  if (known.status !== 'waiting') return known;
  return db.transaction().execute(async (transaction) => {
    // One choice at a time, or several would find the same walker the least busy. The constraint on the table is there for
    // those who don't ask here.
    await sql`select pg_advisory_xact_lock(hashtext('choosing a walker'))`.execute(transaction);
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

/** Books a wash, which takes nobody's time but the customer's. Done before, it changes nothing. */
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

/** Gives a walk up that nobody could be found for; any other stays what it is. */
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

/** Of those who are free then, the one with the fewest minutes within half a day of it; of several, the first. */
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

/** A booking as its customer sees it. */
export function describeBooking(row: Booking & Partial<BookingRow>): Record<string, unknown> {
  const { id, service, dog, starts_at, ends_at, walker_name, walk_id } = row;
  return {
    ...{ id, status: row.status ?? 'waiting', dog, at: starts_at.toISOString() },
    minutes: (ends_at.getTime() - starts_at.getTime()) / 60_000,
    ...(service === 'walk' && { walker: walker_name ? { name: walker_name } : null }),
    ...(service === 'wash' && { walk: walk_id ? pathOf('walk', walk_id) : null }),
  };
}

/** Where a booking can be looked at. */
export const pathOf = (service: Booking['service'], bookingId: string): string =>
  `${service === 'walk' ? '/dog-walks' : '/dog-washes'}/${bookingId}`;
