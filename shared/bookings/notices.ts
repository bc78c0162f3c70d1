/** The messages to walkers. They have no personal data, and are compared with the booking when they arrive. */

import type { Kysely } from 'kysely';
import { defineMessage, type OutgoingMessage, type PublisherLike } from 'warren/functions';
import * as z from 'zod';
import { id } from '../database/id.ts';
import type { Database } from '../database/schema.ts';
import type { BookingRow } from './booking.ts';

const schema = z.object({
  walk_id: z.uuid(),
  walker_id: id,
  /** `booked`: the walk is the walker's. `soon`: it begins within an hour. */
  notice: z.enum(['booked', 'soon']),
});
/** A notice about a walk for its walker. */
export type WalkNotice = z.output<typeof schema>;

const example = { walk_id: '5f1d3c0e-6b0f-4c1c-9d57-2f1c7f0e8a11', walker_id: 1, notice: 'booked' };
const common = { exchange: 'walks', from: 'service', schema, examples: [example] } as const;

export const walkNotice = defineMessage({
  ...common,
  name: 'walk-notice',
  summary: 'A notice about a walk for its walker, who is the key of its order.',
  key: 'notice',
  messageId: ({ walk_id, notice }) => `notice-${walk_id}-${notice}`,
});

export const walkText = defineMessage({
  ...common,
  name: 'walk-text',
  summary: 'A notice that goes to the phone of its walker, which takes only so many in a time.',
  key: 'text',
  messageId: ({ walk_id, notice }) => `text-${walk_id}-${notice}`,
});

/** Makes a message about a notice; the broker keeps the order and the limit of a walker by the header. */
export const noticeMessage = (
  contract: typeof walkNotice | typeof walkText,
  notice: WalkNotice,
): OutgoingMessage => contract.message(notice, { headers: { walker: String(notice.walker_id) } });

const hourMs = 3_600_000;
/** A message waits at the broker for at most 776 days. A walk that is later gets its reminder in several steps. */
const longestMs = 365 * 24 * hourMs;

/** When the reminder of a walk is due: an hour before the walk, or now if less is left; undefined if the walk has begun. */
export function reminderAt(startsAt: Date, now: Date): Date | undefined {
  const left = startsAt.getTime() - now.getTime();
  if (left <= 0) return undefined;
  return new Date(now.getTime() + Math.min(Math.max(left - hourMs, 0), longestMs));
}

/** Publishes the reminder of a walk for its time; nothing if the walk has begun. */
export async function publishReminder(
  publisher: PublisherLike,
  { id: walk_id, walker_id, starts_at }: BookingRow,
  now = new Date(),
): Promise<void> {
  const deliverAt = reminderAt(starts_at, now);
  if (walker_id === null || !deliverAt) return;
  const message = noticeMessage(walkNotice, { walk_id, walker_id, notice: 'soon' });
  await publisher.publish({ ...message, deliverAt });
}

/** Publishes the notice of a booked walk, and then its reminder. Both are published again with each delivery of the order. */
export async function publishNotices(publisher: PublisherLike, walk: BookingRow, now = new Date()) {
  // Another program has booked the walk with a walker that this database does not contain.
  if (walk.walker_id === null) return;
  const notice = { walk_id: walk.id, walker_id: walk.walker_id, notice: 'booked' } as const;
  await publisher.publish(noticeMessage(walkNotice, notice));
  await publishReminder(publisher, walk, now);
}

/** The walk of a notice with its walker; undefined if the walk is canceled, another walker's, or has begun before its reminder. */
export async function walkOf(db: Kysely<Database>, { walk_id, walker_id, notice }: WalkNotice, now: Date) {
  const walk = await db
    .selectFrom('bookings')
    .selectAll()
    .where('id', '=', walk_id)
    .where('walker_id', '=', walker_id)
    .where('status', '=', 'booked')
    .executeTakeFirst();
  if (!walk || (notice === 'soon' && walk.starts_at <= now)) return undefined;
  const walker = await db
    .selectFrom('walkers')
    .select(['name', 'email', 'phone'])
    .where('id', '=', walker_id)
    .executeTakeFirst();
  return walker && { walk, walker };
}
/** A walk with its walker. */
export type WalkersWalk = NonNullable<Awaited<ReturnType<typeof walkOf>>>;
