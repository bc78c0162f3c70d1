/**
 * Triggered by the queue `walker-notices`: mails a walker that a walk is booked or begins within an hour, and publishes the text
 * message. The queue keeps the order of each walker's notices. A canceled walk, or the reminder of a walk that has begun, notifies
 * no walker. A lease row prevents a second mail, and `text-walker` recognizes a repeated text message.
 */

import type { Kysely } from 'kysely';
import { allDone, type Log, lambda, log, onMessages, type PublisherLike, publisher } from 'warren/functions';
import {
  noticeMessage,
  publishReminder,
  reminderAt,
  walkNotice,
  walkOf,
  walkText,
} from '../../shared/bookings/notices.ts';
import { mailWalker, type NotifyDeps } from '../../shared/bookings/notify.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { mailer } from '../../shared/delivery/mail.ts';

interface Deps extends NotifyDeps {
  db: Kysely<Database>;
  publisher: PublisherLike;
  log?: Log;
  now?: () => Date;
}

export function createHandler({ now = () => new Date(), ...deps }: Deps) {
  const { db, publisher } = deps;
  return onMessages({ contract: walkNotice, ...deps }, async ({ body: notice }) => {
    const at = now();
    const found = await walkOf(db, notice, at);
    if (!found) return;
    const { walk, walker } = found;
    const due = notice.notice === 'soon' ? reminderAt(walk.starts_at, at) : undefined;
    // A walk in a year or more gets its reminder in several steps.
    if (due && due > at) return publishReminder(publisher, walk, at);
    await allDone([
      mailWalker(deps, found, notice),
      ...(walker.phone === null ? [] : [publisher.publish(noticeMessage(walkText, notice))]),
    ]);
  });
}

export const handler = lambda({ db: database, mailer, publisher, log }, createHandler);
