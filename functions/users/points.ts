/** Triggered by `GET /users/{id}/points`: returns a user's balance and latest entries. Reads only. */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json } from 'warren/http';
import { onlyOwn } from '../../shared/auth/own-user.ts';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { readPoints } from '../../shared/pictures/points.ts';

/** Number of entries in an answer. */
const maxEntries = 100;

export function createHandler(deps: { db: Kysely<Database>; authenticate: Authenticate; log?: Log }) {
  const { db } = deps;
  return httpFunction(deps, async ({ event, user }) => {
    onlyOwn(event, user, 'the points');
    return json(200, { user_id: user.id, ...(await readPoints(db, user.id, maxEntries)) });
  });
}

export const handler = lambda({ db: database, authenticate, log }, createHandler);
