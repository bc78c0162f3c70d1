/**
 * Triggered by the queue `notify-friends`: mails each friend of the user about a new picture. A row with a lease for each friend
 * keeps a second delivery, even at the same moment, from mailing anyone again. Friends who have unsubscribed get no mail; each
 * mail has a link for that. Many friends are mailed in chunks, each by a message of its own, so that every call ends in time.
 */
import type { Kysely } from 'kysely';
import pLimit from 'p-limit';
import { allDone, type Log, lambda, log, onMessages, type PublisherLike, publisher } from 'warren/functions';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { type MailerLike, mailer } from '../../shared/delivery/mail.ts';
import { sendOnce } from '../../shared/delivery/mail-once.ts';
import { chunkMessage, chunkSize, chunksOf } from '../../shared/pictures/friend-chunks.ts';
import { friendMail } from '../../shared/pictures/friend-mail.ts';
import { ensurePicture } from '../../shared/pictures/picture.ts';
import { type Friend, mailedFriends, userName } from '../../shared/users/friends.ts';
import { unsubscribeLink } from '../../shared/users/resources.ts';

interface Deps {
  db: Kysely<Database>;
  mailer: MailerLike;
  /** Makes the link with which the recipient of a mail unsubscribes. */
  unsubscribeLink: (userId: number) => Promise<string>;
  publisher: PublisherLike;
  log?: Log;
}

/** Mails in flight at a time, for one message. */
const concurrentMails = 3;

export function createHandler({ db, mailer, unsubscribeLink, ...deps }: Deps) {
  return onMessages({ schema: chunkMessage, ...deps }, async ({ body, queue }) => {
    const { image_id: pictureId, user_id, friends: range } = body;
    if ((await ensurePicture(db, body)) === 'deleted') return;
    const [from, friends] = await Promise.all([userName(db, user_id), mailedFriends(db, user_id, range)]);
    if (range === undefined && friends.length > chunkSize) {
      for (const chunk of chunksOf(friends)) {
        const messageId = `friends:${pictureId}:${chunk[0]}`;
        const message = { exchange: '', routingKey: queue, messageId, body: { ...body, friends: chunk } };
        await deps.publisher.publish(message);
      }
      return;
    }
    const send = async (friend: Friend) => {
      const mail = friendMail({ from, friend, pictureId, link: await unsubscribeLink(friend.id) });
      const key = `picture:${pictureId}:${friend.id}`;
      return sendOnce({ db, mailer, mail, key, about: { pictureId, userId: friend.id } });
    };
    const limit = pLimit(concurrentMails);
    // An address that fails does not keep the other friends from their mails; the next try is for those still without. While the
    // mail server is unavailable, no mail is dead-lettered because of such an address.
    await allDone(friends.map((friend) => limit(send, friend)));
  });
}

export const handler = lambda({ db: database, mailer, unsubscribeLink, publisher, log }, createHandler);
