/**
 * Triggered by `GET` and `POST /unsubscribe?token=`, from the link in a picture mail. GET returns a page with a button, because
 * programs that scan mails follow links too. POST unsubscribes, from that button or from a mail program (RFC 8058); the token
 * is the only authentication. A second request changes nothing.
 */
import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { page, pagePolicy, publicFunction } from 'warren/http';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { setPictureMails } from '../../shared/users/friends.ts';
import { unsubscribeTokens } from '../../shared/users/resources.ts';
import type { UnsubscribeTokens } from '../../shared/users/unsubscribe.ts';

interface Deps {
  db: Kysely<Database>;
  tokens: Pick<UnsubscribeTokens, 'read'>;
  log?: Log;
}

const title = 'Mails about new pictures';

export function createHandler({ db, tokens, ...deps }: Deps) {
  return publicFunction({ ...deps, contentSecurityPolicy: pagePolicy }, async (event) => {
    const userId = await tokens.read(event.queryStringParameters?.['token']);
    if (userId === undefined) {
      return page(400, {
        title,
        text: 'This link is not complete. Please use the one in the mail as it is.',
      });
    }
    if (event.requestContext.http.method !== 'POST') {
      const text = 'Do you want no more mails when a friend uploads a picture?';
      return page(200, { title, text, button: 'Unsubscribe' });
    }
    // A user without a row gets no mails either, so that the answer is the same.
    await setPictureMails(db, userId, false);
    return page(200, { title, text: 'You have unsubscribed. You will get no more of these mails.' });
  });
}

export const handler = lambda({ db: database, tokens: unsubscribeTokens, log }, createHandler);
