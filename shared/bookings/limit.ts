import { log, resource } from 'warren/functions';
import * as z from 'zod';
import { database } from '../database/resource.ts';
import { rateField } from '../http/rate.ts';
import { createRateLimit } from '../http/rate-limit.ts';

/** Limits how many orders a user may place. */
export const orderLimitSettings = () =>
  z.object({
    RATE_LIMIT_ORDERS: rateField('60/minute').describe(
      'orders of each user: a number and `/second`, `/minute`, `/hour` or `/day`; or `off`',
    ),
  });

/** Counts the orders of each user over all instances. */
export const orderLimit = resource(
  orderLimitSettings,
  ({ RATE_LIMIT_ORDERS: rate }, { use }) =>
    createRateLimit({ db: use(database), action: 'orders', rate, log: use(log) }),
  [database, log],
);
