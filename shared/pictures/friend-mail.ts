import escapeHtml from 'escape-html';
import type { Kysely } from 'kysely';
import type { Database } from '../database/schema.ts';
import type { MailerLike } from '../delivery/mail.ts';
import { sendOnce } from '../delivery/mail-once.ts';

export interface FriendMailDeps {
  db: Kysely<Database>;
  mailer: MailerLike;
  /** Makes the link with which the recipient of a mail unsubscribes. */
  unsubscribeLink: (userId: number) => Promise<string>;
}

interface FriendMail {
  friend: { name: string; email: string };
  /** At least one picture, with the name of the user who uploaded it. */
  pictures: readonly { id: number; from: string }[];
  /** The link that unsubscribes the friend. */
  link: string;
}

/** The mail to a friend about new pictures. */
function friendMail({ friend, pictures, link }: FriendMail) {
  const names = [...new Set(pictures.map(({ from }) => from))];
  const who = names.length === 1 ? names[0] : `${names.length} friends`;
  const what = pictures.length === 1 ? 'a new picture' : `${pictures.length} new pictures`;
  const verb = names.length === 1 ? 'has' : 'have';
  const lines = [
    `Hello ${friend.name},`,
    ...pictures.map(({ id, from }) => `${from} has uploaded a new picture (number ${id}).`),
  ];
  const html = lines.map((line) => `<p>${escapeHtml(line)}</p>\n`).join('');
  return {
    to: friend.email,
    subject: `${who} ${verb} uploaded ${what}`,
    text: `${lines.join('\n\n')}\n\nNo more of these mails: ${link}\n`,
    html: `${html}<p><a href="${escapeHtml(link)}">No more of these mails</a></p>\n`,
    unsubscribeUrl: link,
  };
}

/**
 * Sends a mail about pictures of friends, unless it was sent before.
 *
 * @throws the errors of `sendOnce`.
 */
export async function sendFriendMail(deps: FriendMailDeps, key: string): Promise<void> {
  const { db, mailer, unsubscribeLink } = deps;
  const rows = await db
    .selectFrom('picture_notices as notice')
    .innerJoin('mails', 'mails.key', 'notice.mail_key')
    .innerJoin('users as friend', 'friend.id', 'notice.user_id')
    .leftJoin('users as owner', 'owner.id', 'notice.from_user')
    .select(['notice.picture_id', 'notice.from_user', 'owner.name as from', 'friend.id as user_id'])
    .select(['friend.name', 'mails.recipient as email'])
    .where('notice.mail_key', '=', key)
    .orderBy('notice.noted_at')
    .orderBy('notice.picture_id')
    .execute();
  const [friend] = rows;
  // The recipient's account was deleted.
  if (!friend) return;
  const pictures = rows.map(({ picture_id, from, from_user }) => ({
    id: picture_id,
    from: from ?? `User ${from_user}`,
  }));
  const link = await unsubscribeLink(friend.user_id);
  await sendOnce({ db, mailer, key, mail: friendMail({ friend, pictures, link }) });
}
