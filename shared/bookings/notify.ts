/** Notifications about a booking: one mail or text message per recipient. */

import escapeHtml from 'escape-html';
import type { Kysely } from 'kysely';
import { allDone } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import type { MailerLike } from '../delivery/mail.ts';
import { sendLeased, sendOnce } from '../delivery/mail-once.ts';
import type { TextsLike } from '../delivery/texts.ts';
import type { BookingRow } from './booking.ts';
import type { Booking } from './orders.ts';

export interface NotifyDeps {
  db: Kysely<Database>;
  mailer: MailerLike;
  /** Undefined if text messages are switched off. */
  texts?: TextsLike | undefined;
}

/**
 * Notifies the walker of a walk by mail and text message.
 *
 * @throws UnavailableError if one of the two could not be sent for now. The other one is sent regardless.
 */
export async function notifyWalker({ db, mailer, texts }: NotifyDeps, walk: BookingRow): Promise<void> {
  const walker = await db
    .selectFrom('walkers')
    .select(['name', 'email', 'phone'])
    .where('id', '=', walk.walker_id)
    .executeTakeFirst();
  // Another program has booked the walk with a walker that this database does not contain.
  if (!walker) return;
  const { dog, starts_at, ends_at, id } = walk;
  const text = `you walk ${dog} from ${starts_at.toUTCString()} to ${ends_at.toUTCString()}.`;
  const mail = { to: walker.email, subject: 'A dog to walk', ...compose([`Hello ${walker.name},`, text]) };
  const [key, phone] = [`walk:${id}:text`, walker.phone];
  await allDone([
    sendOnce({ db, mailer, mail, key: `walk:${id}:walker` }),
    ...(texts && phone !== null
      ? [
          sendLeased({ db, key, recipient: phone }, (signal) =>
            texts.send({ to: phone, text: `Warren: ${text}`, key }, signal),
          ),
        ]
      : []),
  ]);
}

/** Notifies the customer that no walker was free. Does nothing for a user without an address. */
export async function notifyDeclined({ db, mailer }: NotifyDeps, walk: Booking): Promise<void> {
  const { id, user_id, dog, starts_at } = walk;
  const customer = await db
    .selectFrom('users')
    .select(['name', 'email'])
    .where('id', '=', user_id)
    .executeTakeFirst();
  if (customer?.email == null) return;
  const lines = [
    `Hello ${customer.name},`,
    `we are sorry: no walker is free to walk ${dog} at ${starts_at.toUTCString()}. Please choose another time.`,
  ];
  const mail = { to: customer.email, subject: 'No walk this time', ...compose(lines) };
  await sendOnce({ db, mailer, mail, key: `walk:${id}:declined` });
}

function compose(lines: readonly string[]): { text: string; html: string } {
  const html = lines.map((line) => `<p>${escapeHtml(line)}</p>\n`).join('');
  return { text: `${lines.join('\n\n')}\n`, html };
}
