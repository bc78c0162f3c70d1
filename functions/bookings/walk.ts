/**
 * Triggered by the queue `dog-walk`: books a walk with the free walker who has the least to do, answers whoever waits for
 * that, and tells the walker. The order's id is the key of its row, the table refuses two walks of one walker at a time, and a
 * row with a lease for each mail and text message keeps a second delivery from sending it again. While nobody is free the
 * order is tried again; after the last try its customer is told.
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
import { type TellingParts, tellDeclined, tellWalker } from '../../shared/bookings/notification.ts';
import { type OrderAnswer, toBooking, type WalkOrder, walkOrder } from '../../shared/bookings/orders.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { mailer } from '../../shared/delivery/mail.ts';
import { texts } from '../../shared/delivery/texts.ts';

interface Deps extends TellingParts {
  db: Kysely<Database>;
  publisher: PublisherLike;
  policy?: MessagesOptions<unknown>['policy'];
  log?: Log;
}

export function createHandler({ policy = {}, ...deps }: Deps) {
  const { db, publisher } = deps;
  const onDeadLetter = async ({ body }: Message<WalkOrder>, error: unknown) => {
    // A message that contradicts its order says nothing about it.
    if (error instanceof RejectedError) return;
    const walk = toBooking('walk', body);
    if ((await declineWalk(db, walk)) === 'declined') await tellDeclined(deps, walk);
  };
  return onMessages(
    { schema: walkOrder, onDeadLetter, policy, ...deps },
    async ({ body, replyTo, correlationId }) => {
      const walk = await bookWalk(db, toBooking('walk', body));
      // Given up before, and perhaps its customer could not be told then.
      if (walk.status === 'declined') return tellDeclined(deps, walk);
      const answer: OrderAnswer = { status: 'booked', walker: { name: walk.walker_name ?? '' } };
      // A customer who can't be told is no reason to keep the walker waiting.
      await allDone([
        ...(replyTo === undefined
          ? []
          : [sendReply(publisher, { replyTo, correlationId }, { body: answer })]),
        tellWalker(deps, walk),
      ]);
    },
  );
}

export const handler = lambda({ db: database, mailer, texts, publisher, log }, createHandler);
