import { log, resource } from 'warren/functions';
import * as z from 'zod';
import { database } from '../database/resource.ts';
import { rateField } from '../http/rate.ts';
import { createRateLimit } from '../http/rate-limit.ts';

/** Limits how many friends a user may ask. */
export const friendLimitSettings = () =>
  z.object({
    RATE_LIMIT_FRIENDS: rateField('50/day').describe(
      'friend requests of each user: a number and `/second`, `/minute`, `/hour` or `/day`; or `off`',
    ),
  });

/** Counts the friend requests of each user over all instances. */
export const friendLimit = resource(
  friendLimitSettings,
  ({ RATE_LIMIT_FRIENDS: rate }, { use }) =>
    createRateLimit({ db: use(database), action: 'friend requests', rate, log: use(log) }),
  [database, log],
);
