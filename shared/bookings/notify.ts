/** Notifications about a booking: one mail or text message per recipient. */

import escapeHtml from 'escape-html';
import type { Kysely } from 'kysely';
import type { Database } from '../database/schema.ts';
import type { MailerLike } from '../delivery/mail.ts';
import { sendLeased, sendOnce } from '../delivery/mail-once.ts';
import type { TextsLike } from '../delivery/texts.ts';
import type { WalkersWalk, WalkNotice } from './notices.ts';
import type { Booking } from './orders.ts';

export interface NotifyDeps {
  db: Kysely<Database>;
  mailer: MailerLike;
}

/** Mails a notice to the walker of the walk. */
export async function mailWalker(
  { db, mailer }: NotifyDeps,
  { walk, walker }: WalkersWalk,
  { notice }: Pick<WalkNotice, 'notice'>,
): Promise<void> {
  const [subject, key] =
    notice === 'booked'
      ? ['A dog to walk', `walk:${walk.id}:walker`]
      : ['Your walk begins soon', `walk:${walk.id}:reminder`];
  const lines = [`Hello ${walker.name},`, textOf(walk, notice)];
  await sendOnce({ db, mailer, key, mail: { to: walker.email, subject, ...compose(lines) } });
}

/** Sends a notice to the walker's phone. Does nothing for a walker without a number. */
export async function textWalker(
  { db, texts }: { db: Kysely<Database>; texts: TextsLike },
  { walk, walker: { phone } }: WalkersWalk,
  { notice }: Pick<WalkNotice, 'notice'>,
): Promise<void> {
  if (phone === null) return;
  const key = notice === 'booked' ? `walk:${walk.id}:text` : `walk:${walk.id}:reminder:text`;
  const text = `Warren: ${textOf(walk, notice)}`;
  await sendLeased({ db, key, recipient: phone }, (signal) => texts.send({ to: phone, text, key }, signal));
}

const textOf = ({ dog, starts_at, ends_at }: Booking, notice: WalkNotice['notice']): string =>
  `${notice === 'soon' ? 'soon ' : ''}you walk ${dog} from ${starts_at.toUTCString()} to ${ends_at.toUTCString()}.`;

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
