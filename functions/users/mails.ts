/**
 * Triggered by `PUT /users/{id}/mails`: sets whether the user wants mails about friends' pictures. With it, a user who has
 * unsubscribed can subscribe again. A second request changes nothing.
 */
import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json, Problem, readJson } from 'warren/http';
import * as z from 'zod';
import { onlyOwn } from '../../shared/auth/own-user.ts';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { setPictureMails } from '../../shared/users/friends.ts';

const wanted = z.object({ pictures: z.boolean({ error: 'expected true or false' }) });

export function createHandler(deps: { db: Kysely<Database>; authenticate: Authenticate; log?: Log }) {
  const { db } = deps;
  return httpFunction({ scope: 'friends:write', ...deps }, async ({ event, user }) => {
    onlyOwn(event, user, 'the mails');
    const { pictures } = readJson(event, wanted);
    const found = await setPictureMails(db, user.id, pictures);
    if (!found) throw new Problem(404, 'No such user', `there is no user ${user.id}`);
    return json(200, { pictures });
  });
}

export const handler = lambda({ db: database, authenticate, log }, createHandler);
