/**
 * Triggered by `POST /dog-washes`: takes an order, just as `order-walk` does for a walk, and is as safe to call twice. That a
 * walk comes with a wash is the affair of the function that works on it.
 */

import { randomUUID } from 'node:crypto';
import { lambda, log, requester } from 'warren/functions';
import { httpFunction, readJson } from 'warren/http';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { orderLimit } from '../../shared/bookings/limit.ts';
import { checkAhead, type TakingParts, takeOrder } from '../../shared/bookings/order-function.ts';
import { washRequest } from '../../shared/bookings/orders.ts';
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
    const request = readJson(event, washRequest);
    checkAhead(request, now());
    return once({ db, event, user, content: JSON.stringify(request) }, async (kept) => {
      const order = { ...request, order_id: kept?.requestId ?? randomUUID(), user_id: user.id };
      return takeOrder(deps, { service: 'wash', order }, event);
    });
  });
}

export const handler = lambda(
  { db: database, orders: requester, authenticate, limit: orderLimit, log },
  createHandler,
);
