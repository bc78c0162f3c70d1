/**
 * Triggered by the queue `dog-wash`: books a wash, and orders the walk that comes with it by publishing a walk's message, as
 * anyone may. That walk's id follows from the wash's, so that a wash that comes twice is followed by one walk.
 */
import type { Kysely } from 'kysely';
import { createPublisher, type PublisherLike } from '../../runtime/amqp/publisher.ts';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { sendReply } from '../../runtime/messages/on-calls.ts';
import { onMessages } from '../../runtime/messages/on-messages.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { bookWash } from '../../shared/bookings/booking.ts';
import {
  freeWalk,
  type OrderAnswer,
  schedulingExchange,
  toBooking,
  washOrder,
} from '../../shared/bookings/orders.ts';
import { connectDatabase } from '../../shared/database/database.ts';
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

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'database', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    publisher: createPublisher({ url: config.broker.AMQP_URL, name }),
    log: createLog(config.log),
  });
});
