/**
 * Triggered by the queue `notify-friends`: mails each friend of the user that there is a new picture. A row with a lease
 * for each friend keeps a second delivery, even at the same moment, from mailing anyone again. Who has unsubscribed gets
 * none; each mail has a link for that.
 */

import escapeHtml from 'escape-html';
import type { Kysely } from 'kysely';
import pLimit from 'p-limit';
import { allDone, type Log, lambda, log, onMessages, type PublisherLike, publisher } from 'warren/functions';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { type MailerLike, mailer } from '../../shared/delivery/mail.ts';
import { sendOnce } from '../../shared/delivery/mail-once.ts';
import { ensurePicture, pictureMessage } from '../../shared/pictures/picture.ts';
import { unsubscribeLink } from '../../shared/users/resources.ts';

interface Deps {
  db: Kysely<Database>;
  mailer: MailerLike;
  /** The link in a mail with which its recipient unsubscribes. */
  unsubscribeLink: (userId: number) => Promise<string>;
  publisher: PublisherLike;
  log?: Log;
}

interface Friend {
  id: number;
  name: string;
  email: string;
}

/** Mails on their way at a time, for one message. */
const atATime = 3;

export function createHandler({ db, mailer, unsubscribeLink, ...deps }: Deps) {
  return onMessages({ schema: pictureMessage, ...deps }, async ({ body }) => {
    const { image_id: pictureId, user_id } = body;
    if ((await ensurePicture(db, body)) === 'deleted') return;
    const [user, friends] = await Promise.all([
      db.selectFrom('users').select('name').where('id', '=', user_id).executeTakeFirst(),
      friendsOf(db, user_id),
    ]);
    const limit = pLimit(atATime);
    const send = async (friend: Friend) => {
      const from = user?.name ?? `User ${user_id}`;
      const mail = compose({ from, friend, pictureId, link: await unsubscribeLink(friend.id) });
      const key = `picture:${pictureId}:${friend.id}`;
      return sendOnce({ db, mailer, mail, key, about: { pictureId, userId: friend.id } });
    };
    // One address that fails keeps none of the others from their mail; the next try is for those still without. Nor is
    // anyone's mail given up with it while the mail server asks for patience.
    await allDone(friends.map((friend) => limit(send, friend)));
  });
}

async function friendsOf(db: Kysely<Database>, userId: number): Promise<Friend[]> {
  return db
    .selectFrom('friendships')
    .innerJoin('users', 'users.id', 'friendships.friend_id')
    .select(['users.id', 'users.name', 'users.email'])
    .where('friendships.user_id', '=', userId)
    .where('users.picture_mails', '=', true)
    .execute();
}

function compose(about: { from: string; friend: Friend; pictureId: number; link: string }) {
  const { from, friend, pictureId, link } = about;
  const lines = [`Hello ${friend.name},`, `${from} has uploaded a new picture (number ${pictureId}).`];
  const html = lines.map((line) => `<p>${escapeHtml(line)}</p>\n`).join('');
  return {
    to: friend.email,
    subject: `${from} has uploaded a new picture`,
    text: `${lines.join('\n\n')}\n\nNo more of these mails: ${link}\n`,
    html: `${html}<p><a href="${escapeHtml(link)}">No more of these mails</a></p>\n`,
    unsubscribeUrl: link,
  };
}

export const handler = lambda({ db: database, mailer, unsubscribeLink, publisher, log }, createHandler);
