/**
 * Triggered by `POST /dog-walks`: accepts an order and does not wait for the booking. The order is published as a persistent
 * message and confirmed. If the booking is done within a moment, the response contains it (201); if not, the client finds it
 * at its Location (202). Each request is a separate order, unless it repeats an Idempotency-Key: then it has the same id and
 * is booked once.
 *
 * If the function dies before the confirm, or the confirm does not come (503), it is unknown whether the order was accepted;
 * the client repeats it with its key. If the function dies after the confirm, the order is processed, and its customer finds
 * it in the list.
 */

import { lambda, log, requester } from 'warren/functions';
import { authenticate } from '../../shared/auth/resource.ts';
import { walkOrdered } from '../../shared/bookings/contracts.ts';
import { orderLimit } from '../../shared/bookings/limit.ts';
import { createOrderFunction, type OrderFunctionDeps } from '../../shared/bookings/order-function.ts';
import { walkRequest } from '../../shared/bookings/orders.ts';
import { database } from '../../shared/database/resource.ts';

export const createHandler = (deps: OrderFunctionDeps) =>
  createOrderFunction({ service: 'walk', request: walkRequest, message: walkOrdered.message }, deps);

export const handler = lambda(
  { db: database, orders: requester, authenticate, limit: orderLimit, log },
  createHandler,
);
