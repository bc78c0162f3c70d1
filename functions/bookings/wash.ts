/**
 * Triggered by the queue `dog-wash`: books a wash and orders the walk that it includes by publishing a walk's message, like
 * any other client. The id of the walk is derived from that of the wash, so that a second delivery results in the same walk.
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
import { walkOrdered, washOrdered } from '../../shared/bookings/contracts.ts';
import { freeWalk, type OrderAnswer, toBooking } from '../../shared/bookings/orders.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';

export function createHandler(deps: { db: Kysely<Database>; publisher: PublisherLike; log?: Log }) {
  const { db, publisher } = deps;
  return onMessages({ contract: washOrdered, ...deps }, async ({ body, replyTo, correlationId }) => {
    const wash = toBooking('wash', body);
    const walk = freeWalk(wash);
    const { status } = await bookWash(db, wash, walk.order_id);
    // Its customer is forgotten, and the walk must not bring the customer back.
    if (status === 'declined') return;
    await publisher.publish(walkOrdered.message(walk));
    if (replyTo === undefined) return;
    const answer: OrderAnswer = { status: 'booked', walk_id: walk.order_id };
    await sendReply(publisher, { replyTo, correlationId }, { body: answer });
  });
}

export const handler = lambda({ db: database, publisher, log }, createHandler);
