/**
 * Triggered by `GET /dog-walks/{id}` and `GET /dog-washes/{id}`: returns the state of one of the customer's orders. Reads
 * only.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json, Problem } from 'warren/http';
import * as z from 'zod';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { describeBooking } from '../../shared/bookings/booking.ts';
import { database } from '../../shared/database/resource.ts';
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

export const handler = lambda({ db: database, authenticate, log }, createHandler);
