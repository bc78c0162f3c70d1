/**
 * Triggered by `DELETE /users/{id}/friends/{friend_id}`: the friend is told of the user's pictures no more. Doing it again
 * changes nothing.
 */
import type { Kysely } from 'kysely';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { httpFunction, noContent } from '../../runtime/http/function.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { friendOf, onlyOwn } from '../../shared/auth/own-user.ts';
import { type Authenticate, createAuthenticate } from '../../shared/auth/tokens.ts';
import { connectDatabase } from '../../shared/database/database.ts';
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

export const handler = whenCalled(async () => {
  const config = await loadConfig(['database', 'auth', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    authenticate: createAuthenticate(config.auth),
    log: createLog(config.log),
  });
});
