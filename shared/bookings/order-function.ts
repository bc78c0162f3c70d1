/** The functions that accept an order over HTTP: `order-walk` and `order-wash`. */

import { randomUUID } from 'node:crypto';
import type { OutgoingMessage } from 'warren/functions';
import { httpFunction, Problem, readJson } from 'warren/http';
import type { z } from 'zod';
import type { Authenticate } from '../auth/tokens.ts';
import { once } from '../http/idempotency.ts';
import type { RateLimit } from '../http/rate-limit.ts';
import type { Booking, WashRequest } from './orders.ts';
import { type PlaceOrderDeps, placeOrder } from './place-order.ts';

export interface OrderFunctionDeps extends PlaceOrderDeps {
  authenticate: Authenticate;
  limit?: RateLimit;
  now?: () => Date;
}

/** A service, the schema of its requests, such as `walkRequest`, and the message of an order. */
export interface OrderKind<Request extends WashRequest & { minutes?: number }> {
  service: Booking['service'];
  request: z.ZodType<Request>;
  message: (order: Request & { order_id: string; user_id: number }) => OutgoingMessage;
}

/** Creates a handler that accepts orders for one service. */
export function createOrderFunction<Request extends WashRequest & { minutes?: number }>(
  kind: OrderKind<Request>,
  deps: OrderFunctionDeps,
) {
  const { db, now = () => new Date() } = deps;
  return httpFunction({ scope: 'bookings:write', ...deps }, async ({ event, user }) => {
    const request = readJson(event, kind.request);
    checkTime(request, now());
    return once({ db, event, user, content: JSON.stringify(request) }, async (kept) => {
      const order = { ...request, order_id: kept?.requestId ?? randomUUID(), user_id: user.id };
      return placeOrder(deps, { service: kind.service, order, message: kind.message(order) }, event);
    });
  });
}

/**
 * Checks the time that an order is for.
 *
 * @throws Problem 422 unless it is in the future and at most a year ahead.
 */
function checkTime({ at }: { at: string }, now: Date): void {
  const days = (new Date(at).getTime() - now.getTime()) / 86_400_000;
  if (days > 0 && days < 366) return;
  throw new Problem(
    422,
    'The request can not be served',
    `at: expected a time within the next year, got ${at}`,
  );
}
