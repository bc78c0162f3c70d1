/** Triggered by `GET /users/{id}/points`: tells a user the balance and the latest entries. Reads only. */
import type { Kysely } from 'kysely';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { httpFunction, json } from '../../runtime/http/function.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { onlyOwn } from '../../shared/auth/own-user.ts';
import { type Authenticate, createAuthenticate } from '../../shared/auth/tokens.ts';
import { connectDatabase } from '../../shared/database/database.ts';
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

export const handler = whenCalled(async () => {
  const config = await loadConfig(['database', 'auth', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    authenticate: createAuthenticate(config.auth),
    log: createLog(config.log),
  });
});
