/**
 * Triggered by `GET /users/{id}/friends`: returns a user's friends by name, the users whom the user has asked, and those who have asked
 * the user. Reads only.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json } from 'warren/http';
import { onlyOwn } from '../../shared/auth/own-user.ts';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { listFriends } from '../../shared/users/friends.ts';

export function createHandler(deps: { db: Kysely<Database>; authenticate: Authenticate; log?: Log }) {
  const { db } = deps;
  return httpFunction(deps, async ({ event, user }) => {
    onlyOwn(event, user, 'the friends');
    return json(200, await listFriends(db, user.id));
  });
}

export const handler = lambda({ db: database, authenticate, log }, createHandler);
