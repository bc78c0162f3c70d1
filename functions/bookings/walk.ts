/**
 * Triggered by the queue `dog-walk`: books a walk with the free walker who has the least to do, answers whoever waits for
 * that, and tells the walker. The order's id is the key of its row, the table refuses two walks of one walker at a time, and a
 * row with a lease for each mail and text message keeps a second delivery from sending it again. While nobody is free the
 * order is tried again; after the last try its customer is told.
 */
import type { Kysely } from 'kysely';
import { createPublisher, type PublisherLike } from '../../runtime/amqp/publisher.ts';
import { allDone, RejectedError } from '../../runtime/base/errors.ts';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { sendReply } from '../../runtime/messages/on-calls.ts';
import { type Message, type MessagesOptions, onMessages } from '../../runtime/messages/on-messages.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { bookWalk, declineWalk } from '../../shared/bookings/booking.ts';
import { type TellingParts, tellDeclined, tellWalker } from '../../shared/bookings/notification.ts';
import { type OrderAnswer, toBooking, type WalkOrder, walkOrder } from '../../shared/bookings/orders.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import { createMailer } from '../../shared/delivery/mail.ts';
import { createTexts } from '../../shared/delivery/texts.ts';

interface Deps extends TellingParts {
  db: Kysely<Database>;
  publisher: PublisherLike;
  policy?: MessagesOptions<unknown>['policy'];
  log?: Log;
}

export function createHandler({ policy = {}, ...deps }: Deps) {
  const { db, publisher } = deps;
  const onGivenUp = async ({ body }: Message<WalkOrder>, error: unknown) => {
    // A message that contradicts its order says nothing about it.
    if (error instanceof RejectedError) return;
    const walk = toBooking('walk', body);
    if ((await declineWalk(db, walk)) === 'declined') await tellDeclined(deps, walk);
  };
  return onMessages(
    { schema: walkOrder, onGivenUp, policy, ...deps },
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

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'database', 'mail', 'texts', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    mailer: createMailer(config.mail),
    texts: createTexts(config.texts),
    publisher: createPublisher({ url: config.broker.AMQP_URL, name }),
    log: createLog(config.log),
  });
});
