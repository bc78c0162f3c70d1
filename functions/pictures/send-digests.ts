/**
 * Triggered by a schedule, each minute: mails the pictures of friends that were collected while a recipient had a mail recently, as one
 * digest, and sends mails whose function died or failed. A row with a lease for each mail prevents sending it twice.
 */

import pLimit from 'p-limit';
import { allDone, type Log, lambda, log } from 'warren/functions';
import { database } from '../../shared/database/resource.ts';
import { mailer } from '../../shared/delivery/mail.ts';
import { type DigestLimits, digestLimits } from '../../shared/pictures/digest-settings.ts';
import { type FriendMailDeps, sendFriendMail } from '../../shared/pictures/friend-mail.ts';
import { dueRecipients, forgetNotices, openMail, unsentMails } from '../../shared/pictures/friend-notices.ts';
import { unsubscribeLink } from '../../shared/users/resources.ts';

interface Deps extends FriendMailDeps {
  digest: DigestLimits;
  /** Seconds for which an unsent mail is left to the function that made it, default 10. */
  olderThan?: number;
  log?: Log;
}

/** Mails in flight at a time. */
const concurrentMails = 3;
/** Recipients of one run; the next run continues with the rest. */
const maxRecipients = 500;

/** Milliseconds after which no further mail is begun. */
const budgetMs = 45_000;

export function createHandler({ digest, olderThan = 10, log, ...deps }: Deps) {
  /** Throws a failure, for the operator to see, only after all other mails. */
  return async (): Promise<{ sent: number }> => {
    const { db } = deps;
    const end = performance.now() + budgetMs;
    const limit = pLimit(concurrentMails);
    let sent = 0;
    const send = async (key: string | undefined) => {
      if (key === undefined || performance.now() > end) return;
      await sendFriendMail(deps, key);
      sent += 1;
    };
    const unsent = await unsentMails(db, olderThan);
    const recipients = await dueRecipients(db, digest, maxRecipients);
    await allDone([
      ...unsent.map((key) => limit(send, key)),
      ...recipients.map((id) => limit(async () => send(await openMail(db, id, digest)))),
      forgetNotices(db),
    ]);
    if (sent > 0) log?.info({ sent }, 'mailed collected pictures to friends');
    return { sent };
  };
}

export const handler = lambda(
  { db: database, mailer, unsubscribeLink, digest: digestLimits, log },
  createHandler,
);
