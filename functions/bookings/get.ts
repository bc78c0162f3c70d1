/**
 * Triggered by `GET /dog-walks/{id}` and `GET /dog-washes/{id}`: tells a customer what became of an order of theirs. Reads
 * only.
 */
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { httpFunction, json } from '../../runtime/http/function.ts';
import { Problem } from '../../runtime/http/problem.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { type Authenticate, createAuthenticate } from '../../shared/auth/tokens.ts';
import { describeBooking } from '../../shared/bookings/booking.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';

export function createHandler(deps: { db: Kysely<Database>; authenticate: Authenticate; log?: Log }) {
  const { db } = deps;
  return httpFunction(deps, async ({ event, user }) => {
    const id = event.pathParameters?.['id'];
    const service = event.rawPath.includes('/dog-washes/') ? 'wash' : 'walk';
    const found = z.uuid().safeParse(id);
    const row = found.success
      ? await db
          .selectFrom('bookings')
          .selectAll()
          .where('id', '=', found.data)
          .where('service', '=', service)
          .where('user_id', '=', user.id)
          .executeTakeFirst()
      : undefined;
    if (!row) throw new Problem(404, 'No such booking', `id: you have no ${service} ${id}`);
    return json(200, describeBooking(row));
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
