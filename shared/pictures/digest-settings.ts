import { resource } from 'warren/functions';
import * as z from 'zod';

/** Limits how many mails about friends' pictures a user gets. */
export const digestSettings = () =>
  z.object({
    PICTURE_MAILS_PER_DAY: z.coerce
      .number('expected a number of mails')
      .int('expected a whole number of mails')
      .min(1, 'expected at least 1')
      .max(100_000, 'expected at most 100000')
      .default(10)
      .describe('most mails about pictures of friends to each user in 24 hours; later pictures wait'),
    PICTURE_MAILS_INTERVAL: z.coerce
      .number('expected a number of seconds')
      .int('expected whole seconds')
      .min(0, 'expected at least 0')
      .max(86_400, 'expected at most 86400')
      .default(900)
      .describe('seconds after a mail in which further pictures are collected for a digest'),
  });

/** How often a user gets mails about pictures of friends. */
export interface DigestLimits {
  perDay: number;
  /** Seconds between two mails. */
  interval: number;
}

/** The configured limits. */
export const digestLimits = resource(
  digestSettings,
  ({ PICTURE_MAILS_PER_DAY: perDay, PICTURE_MAILS_INTERVAL: interval }): DigestLimits => ({
    perDay,
    interval,
  }),
);
