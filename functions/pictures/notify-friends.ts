/**
 * Triggered by the queue `notify-friends`: mails each friend of the user about a new picture, or collects the picture for the friend's
 * next digest, which `send-digests` mails. A row for each picture and friend, and one with a lease for each mail, keep a second
 * delivery, even at the same moment, from mailing anyone again. Friends who have unsubscribed get no mail; each mail has a link
 * for that. Many friends are notified in chunks, each by a message of its own, so that every call ends in time.
 */
import pLimit from 'p-limit';
import {
  allDone,
  type Log,
  lambda,
  log,
  onMessages,
  type PublisherLike,
  publisher,
  publisherFor,
} from 'warren/functions';
import { database } from '../../shared/database/resource.ts';
import { mailer } from '../../shared/delivery/mail.ts';
import { friendsToNotify } from '../../shared/pictures/contracts.ts';
import { type DigestLimits, digestLimits } from '../../shared/pictures/digest-settings.ts';
import { chunkSize, chunksOf } from '../../shared/pictures/friend-chunks.ts';
import { type FriendMailDeps, sendFriendMail } from '../../shared/pictures/friend-mail.ts';
import { noteFriends, openMail, unsentMailOf } from '../../shared/pictures/friend-notices.ts';
import { ensurePicture } from '../../shared/pictures/picture.ts';
import { type Friend, mailedFriends } from '../../shared/users/friends.ts';
import { unsubscribeLink } from '../../shared/users/resources.ts';

interface Deps extends FriendMailDeps {
  digest: DigestLimits;
  publisher: PublisherLike;
  log?: Log;
}

/** Mails in flight at a time, for one message. */
const concurrentMails = 3;

export function createHandler({ db, mailer, unsubscribeLink, digest, ...deps }: Deps) {
  return onMessages({ contract: friendsToNotify, ...deps }, async ({ body, vhost }) => {
    const { image_id: pictureId, user_id, friends: range } = body;
    if ((await ensurePicture(db, body)) === 'deleted') return;
    const friends = await mailedFriends(db, user_id, range);
    if (range === undefined && friends.length > chunkSize) {
      for (const chunk of chunksOf(friends)) {
        const message = friendsToNotify.message({ ...body, friends: chunk });
        await publisherFor(deps.publisher, { vhost }).publish(message);
      }
      return;
    }
    await noteFriends(db, { id: pictureId, userId: user_id }, friends);
    const send = async ({ id }: Friend) => {
      // A mail that an earlier delivery of this message made, or a new one.
      const key = (await unsentMailOf(db, pictureId, id)) ?? (await openMail(db, id, digest, pictureId));
      if (key !== undefined) await sendFriendMail({ db, mailer, unsubscribeLink }, key);
    };
    const limit = pLimit(concurrentMails);
    // An address that fails does not keep the other friends from their mails; the next try is for those still without. While the
    // mail server is unavailable, no mail is dead-lettered because of such an address.
    await allDone(friends.map((friend) => limit(send, friend)));
  });
}

export const handler = lambda(
  { db: database, mailer, unsubscribeLink, digest: digestLimits, publisher, log },
  createHandler,
);
