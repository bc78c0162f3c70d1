/**
 * Triggered by `POST /dog-walks`: takes an order and never waits for it to be worked on. It is published, persistent and
 * confirmed; what comes of it within a moment is in the answer (201), what doesn't, at its Location (202). Each request is an
 * order of its own, unless it comes again with the same Idempotency-Key: then it has the same id, and is booked once.
 *
 * Killed before the confirm, or not confirmed (503): the order may have been taken or not, and the client sends it again with
 * its key. Killed after the confirm: the order is worked on, and its customer finds it in the list.
 */

import { randomUUID } from 'node:crypto';
import { lambda, log, requester } from 'warren/functions';
import { httpFunction, readJson } from 'warren/http';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { orderLimit } from '../../shared/bookings/limit.ts';
import { checkAhead, type TakingParts, takeOrder } from '../../shared/bookings/order-function.ts';
import { walkRequest } from '../../shared/bookings/orders.ts';
import { database } from '../../shared/database/resource.ts';
import { once } from '../../shared/http/idempotency.ts';
import type { RateLimit } from '../../shared/http/rate-limit.ts';

interface Deps extends TakingParts {
  authenticate: Authenticate;
  limit?: RateLimit;
  now?: () => Date;
}

export function createHandler(deps: Deps) {
  const { db, now = () => new Date() } = deps;
  return httpFunction({ scope: 'bookings:write', ...deps }, async ({ event, user }) => {
    const request = readJson(event, walkRequest);
    checkAhead(request, now());
    return once({ db, event, user, content: JSON.stringify(request) }, async (kept) => {
      const order = { ...request, order_id: kept?.requestId ?? randomUUID(), user_id: user.id };
      return takeOrder(deps, { service: 'walk', order }, event);
    });
  });
}

export const handler = lambda(
  { db: database, orders: requester, authenticate, limit: orderLimit, log },
  createHandler,
);
