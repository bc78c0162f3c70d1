/**
 * Triggered by `PUT /users/{id}/friends/{friend_id}`: from now on, the friend gets mails about the user's pictures. It is one
 * direction only: a user decides who gets mails about their own pictures, and not whose mails they get. A second request
 * changes nothing.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, noContent, Problem } from 'warren/http';
import { friendOf, onlyOwn } from '../../shared/auth/own-user.ts';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { addFriend } from '../../shared/users/friends.ts';

export function createHandler(deps: { db: Kysely<Database>; authenticate: Authenticate; log?: Log }) {
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
    const missing = await addFriend(db, user.id, friendId);
    if (missing !== undefined) throw new Problem(404, 'No such user', `there is no user ${missing}`);
    return noContent();
  });
}

export const handler = lambda({ db: database, authenticate, log }, createHandler);
