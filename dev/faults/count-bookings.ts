import type { Kysely } from 'kysely';
import { freeWalk, toBooking } from '../../shared/bookings/orders.ts';
import type { Database } from '../../shared/database/schema.ts';
import type { AcceptedOrder } from './accepted.ts';
import { type Count, compare } from './compare.ts';
import type { Wanted } from './mails.ts';

/** Each order is booked once, with a walker for each walk. A wash brings one walk. */
export async function countBookings(db: Kysely<Database>, orders: readonly AcceptedOrder[]): Promise<Count> {
  const rows = await db.selectFrom('bookings').select(['id', 'service', 'status', 'walker_id']).execute();
  const booked = (service: string, id: string) =>
    `${service} ${id}, booked${service === 'walk' ? ' with a walker' : ''}`;
  const wanted = orders.flatMap(({ id, service }) => [
    booked(service, id),
    ...(service === 'wash' ? [booked('walk', walkOf(id))] : []),
  ]);
  const got = rows.map(
    ({ id, service, status, walker_id }) =>
      `${service} ${id}, ${status}${walker_id === null ? '' : ' with a walker'}`,
  );
  return compare('orders booked', wanted, got);
}

/** The id of the walk that a wash includes. It depends on the id of the wash only. */
function walkOf(id: string): string {
  const order = { order_id: id, user_id: 1, dog: 'any', at: '2040-01-01T00:00:00Z' };
  return freeWalk(toBooking('wash', order)).order_id;
}

/** One mail to the walker of each walk, also of one that a wash includes. */
export async function wantedByWalkers(
  db: Kysely<Database>,
  orders: readonly AcceptedOrder[],
): Promise<Wanted[]> {
  const rows = await db
    .selectFrom('bookings')
    .innerJoin('walkers', 'walkers.id', 'bookings.walker_id')
    .select(['bookings.dog', 'walkers.email'])
    .execute();
  const emails = new Map(rows.map(({ dog, email }) => [dog, email]));
  return orders.map(({ dog }) => ({ to: emails.get(dog) ?? 'a walker', about: dog }));
}
