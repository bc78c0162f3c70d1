import { resource } from 'warren/functions';
import { z } from 'zod';
import { routesAsJson } from './routes.ts';

/** Maps each queue to the audience of its alerts. */
export const alertSettings = () =>
  z.object({
    ALERT_ROUTES: routesAsJson().describe(
      'JSON with a route for each queue of alerts: a subject, and mail addresses or a webhook',
    ),
  });

/** The routes by queue. */
export const alertRoutes = resource(alertSettings, ({ ALERT_ROUTES }) => ALERT_ROUTES);
