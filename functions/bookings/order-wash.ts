/**
 * Triggered by `POST /dog-washes`: takes an order, just as `order-walk` does for a walk, and is as safe to call twice. That a
 * walk comes with a wash is the affair of the function that works on it.
 */
import { randomUUID } from 'node:crypto';
import { createAnsweredPublisher } from '../../runtime/amqp/request.ts';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog } from '../../runtime/base/log.ts';
import { readJson } from '../../runtime/http/body.ts';
import { httpFunction } from '../../runtime/http/function.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { type Authenticate, createAuthenticate } from '../../shared/auth/tokens.ts';
import { checkAhead, type TakingParts, takeOrder } from '../../shared/bookings/order-function.ts';
import { washRequest } from '../../shared/bookings/orders.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import { once } from '../../shared/http/idempotency.ts';
import { createRateLimit, type RateLimit } from '../../shared/http/rate-limit.ts';

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

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'database', 'auth', 'orderLimit', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  const log = createLog(config.log);
  const db = connectDatabase({ url: config.database.DATABASE_URL, name });
  return createHandler({
    db,
    orders: createAnsweredPublisher({ url: config.broker.AMQP_URL, name }),
    authenticate: createAuthenticate(config.auth),
    limit: createRateLimit({ db, action: 'orders', rate: config.orderLimit.RATE_LIMIT_ORDERS, log }),
    log,
  });
});
