/** Triggered by `GET /users/{id}/points`: returns a user's balance and latest entries. Reads only. */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json } from 'warren/http';
import { onlyOwn } from '../../shared/auth/own-user.ts';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';

const mostEntries = 100;

export function createHandler(deps: { db: Kysely<Database>; authenticate: Authenticate; log?: Log }) {
  const { db } = deps;
  return httpFunction(deps, async ({ event, user }) => {
    onlyOwn(event, user, 'the points');
    const ofUser = db.selectFrom('points_entries').where('user_id', '=', user.id);
    const [{ balance }, entries] = await Promise.all([
      ofUser.select(({ fn }) => fn.sum<number | null>('points').as('balance')).executeTakeFirstOrThrow(),
      ofUser
        .select(['picture_id as image_id', 'reason', 'points', 'created_at'])
        .orderBy('id', 'desc')
        .limit(mostEntries)
        .execute(),
    ]);
    return json(200, { user_id: user.id, balance: balance ?? 0, entries });
  });
}

export const handler = lambda({ db: database, authenticate, log }, createHandler);
