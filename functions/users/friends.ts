/**
 * Triggered by `GET /users/{id}/friends`: returns the users who get mails about a user's pictures, by name if both are friends
 * of each other, else with the name null. Reads only.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json } from 'warren/http';
import { onlyOwn } from '../../shared/auth/own-user.ts';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';

export function createHandler(deps: { db: Kysely<Database>; authenticate: Authenticate; log?: Log }) {
  const { db } = deps;
  return httpFunction(deps, async ({ event, user }) => {
    onlyOwn(event, user, 'the friends');
    // No addresses: they are the friends' own. The name only if the friend has made a friend of the user too; otherwise anyone
    // could ask for the name of any id.
    const friends = await db
      .selectFrom('friendships')
      .innerJoin('users', 'users.id', 'friendships.friend_id')
      .leftJoin('friendships as back', (join) =>
        join.onRef('back.user_id', '=', 'users.id').onRef('back.friend_id', '=', 'friendships.user_id'),
      )
      .select('users.id as user_id')
      .select(({ eb }) =>
        eb.case().when('back.user_id', 'is not', null).then(eb.ref('users.name')).end().as('name'),
      )
      .where('friendships.user_id', '=', user.id)
      .orderBy('name')
      .orderBy('user_id')
      .execute();
    return json(200, { friends });
  });
}

export const handler = lambda({ db: database, authenticate, log }, createHandler);
