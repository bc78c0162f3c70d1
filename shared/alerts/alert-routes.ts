import { resource } from 'warren/functions';
import * as z from 'zod';
import { addressesField } from '../delivery/addresses.ts';
import {
  type AlertRoutes,
  missingRecipients,
  type Recipients,
  routesAsJson,
  withRecipients,
} from './routes.ts';

/** Each queue's audience, and the recipients that routes name by their variable. */
export const alertSettings = () =>
  z
    .object({
      ALERT_ROUTES: routesAsJson().describe(
        'JSON with a route for each queue of alerts: a subject, and mail addresses, a variable that has them, or a webhook',
      ),
      ...recipients(),
    })
    .superRefine(({ ALERT_ROUTES, ...given }, context) => {
      for (const [queue, variable] of missingRecipients(ALERT_ROUTES, given)) {
        const message = `names the variable ${variable}, which is not set`;
        context.addIssue({ code: 'custom', path: ['ALERT_ROUTES', queue, 'to'], message });
      }
    });

/** The routes by queue. */
export const alertRoutes = resource(
  alertSettings,
  ({ ALERT_ROUTES, ...given }): AlertRoutes => withRecipients(ALERT_ROUTES, given),
);

/** Variables of their own, so that no name of a recipient has to be escaped in the JSON of the routes. */
const recipients = () =>
  ({
    ALERTS_OPS_TO: addressesField()
      .optional()
      .describe('recipients of critical alerts: one or several mail addresses'),
    ALERTS_API_TO: addressesField().optional().describe('recipients of alerts about rate limits'),
  }) satisfies Record<keyof Recipients, z.ZodType>;
