/**
 * Triggered by `DELETE /users/{id}/friends/{friend_id}`: ends a friendship, withdraws a request or declines one, so that neither user
 * gets mails about the other's pictures. A second request changes nothing.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, noContent } from 'warren/http';
import { friendOf, onlyOwn } from '../../shared/auth/own-user.ts';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { removeFriend } from '../../shared/users/friends.ts';

export function createHandler(deps: { db: Kysely<Database>; authenticate: Authenticate; log?: Log }) {
  const { db } = deps;
  return httpFunction({ scope: 'friends:write', ...deps }, async ({ event, user }) => {
    onlyOwn(event, user, 'the friends');
    await removeFriend(db, user.id, friendOf(event));
    return noContent();
  });
}

export const handler = lambda({ db: database, authenticate, log }, createHandler);
