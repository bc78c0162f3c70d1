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

export function createHandler(deps: { db: Kysely<Database>; authenticate: Authenticate; log?: Log }) {
  const { db } = deps;
  return httpFunction({ scope: 'friends:write', ...deps }, async ({ event, user }) => {
    onlyOwn(event, user, 'the friends');
    const friend_id = friendOf(event);
    if (friend_id === user.id) {
      throw new Problem(
        422,
        'The request can not be served',
        'friend_id: expected another user than yourself',
      );
    }
    const known = await db.selectFrom('users').select('id').where('id', 'in', [user.id, friend_id]).execute();
    const missing = [friend_id, user.id].find((each) => !known.some(({ id }) => id === each));
    if (missing !== undefined) throw new Problem(404, 'No such user', `there is no user ${missing}`);
    await db
      .insertInto('friendships')
      .values({ user_id: user.id, friend_id })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    return noContent();
  });
}

export const handler = lambda({ db: database, authenticate, log }, createHandler);
