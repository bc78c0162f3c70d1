/**
 * Triggered by `DELETE /users/{id}/friends/{friend_id}`: the friend gets no more mails about the user's pictures. A second
 * request changes nothing.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, noContent } from 'warren/http';
import { friendOf, onlyOwn } from '../../shared/auth/own-user.ts';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';

export function createHandler(deps: { db: Kysely<Database>; authenticate: Authenticate; log?: Log }) {
  const { db } = deps;
  return httpFunction({ scope: 'friends:write', ...deps }, async ({ event, user }) => {
    onlyOwn(event, user, 'the friends');
    await db
      .deleteFrom('friendships')
      .where('user_id', '=', user.id)
      .where('friend_id', '=', friendOf(event))
      .execute();
    return noContent();
  });
}

export const handler = lambda({ db: database, authenticate, log }, createHandler);
