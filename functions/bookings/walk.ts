/**
 * Triggered by the queue `dog-walk`: books a walk with the free walker who has the least to do, replies to a client that
 * waits, and publishes the walker's notice of it and the reminder, which arrives an hour before the walk. The order's id is the key of
 * its row, a constraint prevents two walks of one walker at the same time, and `notify-walker` recognizes a repeated notice. While no
 * walker is free the order is retried; after the last attempt its customer is notified.
 */

import type { Kysely } from 'kysely';
import {
  allDone,
  type Log,
  lambda,
  log,
  type Message,
  type MessagesOptions,
  onMessages,
  type PublisherLike,
  publisher,
  RejectedError,
  sendReply,
} from 'warren/functions';
import { bookWalk, declineWalk } from '../../shared/bookings/booking.ts';
import { walkOrdered } from '../../shared/bookings/contracts.ts';
import { publishNotices } from '../../shared/bookings/notices.ts';
import { type NotifyDeps, notifyDeclined } from '../../shared/bookings/notify.ts';
import { type OrderAnswer, toBooking, type WalkOrder } from '../../shared/bookings/orders.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { mailer } from '../../shared/delivery/mail.ts';

interface Deps extends NotifyDeps {
  db: Kysely<Database>;
  publisher: PublisherLike;
  policy?: MessagesOptions<unknown>['policy'];
  log?: Log;
}

export function createHandler({ policy = {}, ...deps }: Deps) {
  const { db, publisher } = deps;
  const onDeadLetter = async ({ body }: Message<WalkOrder>, error: unknown) => {
    // A message that contradicts its order must not decline it.
    if (error instanceof RejectedError) return;
    const walk = toBooking('walk', body);
    if ((await declineWalk(db, walk)) === 'declined') await notifyDeclined(deps, walk);
  };
  return onMessages(
    { contract: walkOrdered, onDeadLetter, policy, ...deps },
    async ({ body, replyTo, correlationId }) => {
      const walk = await bookWalk(db, toBooking('walk', body));
      // Declined before; its customer may not have been notified then.
      if (walk.status === 'declined') return notifyDeclined(deps, walk);
      const answer: OrderAnswer = { status: 'booked', walker: { name: walk.walker_name ?? '' } };
      // A reply that fails must not delay the walker's notices.
      await allDone([
        ...(replyTo === undefined
          ? []
          : [sendReply(publisher, { replyTo, correlationId }, { body: answer })]),
        publishNotices(publisher, walk),
      ]);
    },
  );
}

export const handler = lambda({ db: database, mailer, publisher, log }, createHandler);
