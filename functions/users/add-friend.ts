/**
 * Triggered by `PUT /users/{id}/friends/{friend_id}`: asks the other user to be friends, or accepts that user's request. Friends get
 * mails about each other's pictures. The answer is the same whether or not the other user exists. A second request changes
 * nothing.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, noContent, Problem } from 'warren/http';
import { friendOf, onlyOwn } from '../../shared/auth/own-user.ts';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import type { RateLimit } from '../../shared/http/rate-limit.ts';
import { requestFriend } from '../../shared/users/friends.ts';
import { friendLimit } from '../../shared/users/limit.ts';

export function createHandler(deps: {
  db: Kysely<Database>;
  authenticate: Authenticate;
  limit?: RateLimit;
  log?: Log;
}) {
  const { db } = deps;
  return httpFunction({ scope: 'friends:write', ...deps }, async ({ event, user }) => {
    onlyOwn(event, user, 'the friends');
    const friendId = friendOf(event);
    if (friendId === user.id) {
      throw new Problem(
        422,
        'The request can not be served',
        'friend_id: expected another user than yourself',
      );
    }
    const known = await requestFriend(db, user.id, friendId);
    if (!known) {
      throw new Problem(404, 'No such user', `there is no user ${user.id} yet: the first picture makes one`);
    }
    return noContent();
  });
}

export const handler = lambda({ db: database, authenticate, limit: friendLimit, log }, createHandler);
