import { log, resource } from 'warren/functions';
import * as z from 'zod';
import { database } from '../database/resource.ts';
import { rateField } from '../http/rate.ts';
import { createRateLimit } from '../http/rate-limit.ts';

/** Limits how many alerts a user may raise. */
export const alertLimitSettings = () =>
  z.object({
    RATE_LIMIT_ALERTS: rateField('600/minute').describe(
      'alerts of each user: a number and `/second`, `/minute`, `/hour` or `/day`; or `off`',
    ),
  });

/** Counts the alerts of each user over all instances. */
export const alertLimit = resource(
  alertLimitSettings,
  ({ RATE_LIMIT_ALERTS: rate }, { use }) =>
    createRateLimit({ db: use(database), action: 'alerts', rate, log: use(log) }),
  [database, log],
);
