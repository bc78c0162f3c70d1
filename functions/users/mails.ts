/**
 * Triggered by `PUT /users/{id}/mails`: sets whether the user wants mails about friends' pictures. The way back for who has
 * unsubscribed. Doing it again changes nothing.
 */
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { readJson } from '../../runtime/http/body.ts';
import { httpFunction, json } from '../../runtime/http/function.ts';
import { Problem } from '../../runtime/http/problem.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { onlyOwn } from '../../shared/auth/own-user.ts';
import { type Authenticate, createAuthenticate } from '../../shared/auth/tokens.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';

const wanted = z.object({ pictures: z.boolean({ error: 'expected true or false' }) });

export function createHandler(deps: { db: Kysely<Database>; authenticate: Authenticate; log?: Log }) {
  const { db } = deps;
  return httpFunction({ scope: 'friends:write', ...deps }, async ({ event, user }) => {
    onlyOwn(event, user, 'the mails');
    const { pictures } = readJson(event, wanted);
    const { numUpdatedRows } = await db
      .updateTable('users')
      .set({ picture_mails: pictures })
      .where('id', '=', user.id)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) throw new Problem(404, 'No such user', `there is no user ${user.id}`);
    return json(200, { pictures });
  });
}

export const handler = whenCalled(async () => {
  const config = await loadConfig(['database', 'auth', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    authenticate: createAuthenticate(config.auth),
    log: createLog(config.log),
  });
});
