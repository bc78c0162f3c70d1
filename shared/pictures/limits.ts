import { log, resource } from 'warren/functions';
import * as z from 'zod';
import { database } from '../database/resource.ts';
import { rateField } from '../http/rate.ts';
import { createRateLimit } from '../http/rate-limit.ts';

/** The limit for uploads of each user. */
export const uploadLimitSettings = () =>
  z.object({
    RATE_LIMIT_UPLOADS: rateField('300/minute').describe(
      'uploads of each user: a number and `/second`, `/minute`, `/hour` or `/day`; or `off`',
    ),
  });

const uploadLimitOf = (action: string) =>
  resource(
    uploadLimitSettings,
    ({ RATE_LIMIT_UPLOADS: rate }, { use }) =>
      createRateLimit({ db: use(database), action, rate, log: use(log) }),
    [database, log],
  );

/** Counts the uploads that each user starts, over all instances. */
export const uploadLimit = uploadLimitOf('uploads');

/** Counts the uploads that each user completes, separately: a user may complete as many as they may start. */
export const completionLimit = uploadLimitOf('completed uploads');
