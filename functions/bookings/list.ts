/** Triggered by `GET /dog-walks`: lists the customer's walks, newest first, page by page. Reads only. */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json, readQuery } from 'warren/http';
import * as z from 'zod';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { describeBooking } from '../../shared/bookings/booking.ts';
import { id } from '../../shared/database/id.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';

const expectedLimit = 'expected a whole number from 1 to 100';
const query = z.object({
  /** Position in the list, from `next`. */
  before: id.default(Number.MAX_SAFE_INTEGER),
  limit: z.coerce
    .number(expectedLimit)
    .int(expectedLimit)
    .min(1, expectedLimit)
    .max(100, expectedLimit)
    .default(20),
});

export function createHandler(deps: { db: Kysely<Database>; authenticate: Authenticate; log?: Log }) {
  const { db } = deps;
  return httpFunction(deps, async ({ event, user }) => {
    const { before, limit } = readQuery(event, query);
    const found = await db
      .selectFrom('bookings')
      .selectAll()
      .where('user_id', '=', user.id)
      .where('service', '=', 'walk')
      .where('number', '<', before)
      .orderBy('number', 'desc')
      .limit(limit + 1)
      .execute();
    const walks = found.slice(0, limit);
    const next = found.length > limit ? `/dog-walks?before=${walks.at(-1)?.number}&limit=${limit}` : null;
    return json(200, { walks: walks.map(describeBooking), next });
  });
}

export const handler = lambda({ db: database, authenticate, log }, createHandler);
