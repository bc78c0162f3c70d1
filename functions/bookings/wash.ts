/**
 * Triggered by the queue `dog-wash`: books a wash, and orders the walk that comes with it by publishing a walk's message, as
 * anyone may. That walk's id follows from the wash's, so that a wash that comes twice is followed by one walk.
 */

import type { Kysely } from 'kysely';
import {
  type Log,
  lambda,
  log,
  onMessages,
  type PublisherLike,
  publisher,
  sendReply,
} from 'warren/functions';
import { bookWash } from '../../shared/bookings/booking.ts';
import {
  freeWalk,
  type OrderAnswer,
  schedulingExchange,
  toBooking,
  washOrder,
} from '../../shared/bookings/orders.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';

export function createHandler(deps: { db: Kysely<Database>; publisher: PublisherLike; log?: Log }) {
  const { db, publisher } = deps;
  return onMessages({ schema: washOrder, ...deps }, async ({ body, replyTo, correlationId }) => {
    const wash = toBooking('wash', body);
    const walk = freeWalk(wash);
    await bookWash(db, wash, walk.order_id);
    await publisher.publish({
      ...{ exchange: schedulingExchange, routingKey: 'walk' },
      ...{ messageId: `walk-${walk.order_id}`, body: walk },
    });
    if (replyTo === undefined) return;
    const answer: OrderAnswer = { status: 'booked', walk_id: walk.order_id };
    await sendReply(publisher, { replyTo, correlationId }, { body: answer });
  });
}

export const handler = lambda({ db: database, publisher, log }, createHandler);
