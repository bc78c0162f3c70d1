/**
 * Triggered by `POST /dog-washes`: accepts an order like `order-walk`, and is as safe to repeat. The function `dog-wash`, which
 * processes the order, adds the walk that a wash includes.
 */

import { lambda, log, requester } from 'warren/functions';
import { authenticate } from '../../shared/auth/resource.ts';
import { washOrdered } from '../../shared/bookings/contracts.ts';
import { orderLimit } from '../../shared/bookings/limit.ts';
import { createOrderFunction, type OrderFunctionDeps } from '../../shared/bookings/order-function.ts';
import { washRequest } from '../../shared/bookings/orders.ts';
import { database } from '../../shared/database/resource.ts';

export const createHandler = (deps: OrderFunctionDeps) =>
  createOrderFunction({ service: 'wash', request: washRequest, message: washOrdered.message }, deps);

export const handler = lambda(
  { db: database, orders: requester, authenticate, limit: orderLimit, log },
  createHandler,
);
