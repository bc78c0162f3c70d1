import { resource } from 'warren/functions';
import { z } from 'zod';
import { routesAsJson } from './routes.ts';

/** Maps each queue to the audience of its alerts. */
export const alertSettings = () => z.object({ ALERT_ROUTES: routesAsJson() });

/** The routes by queue. */
export const alertRoutes = resource(alertSettings, ({ ALERT_ROUTES }) => ALERT_ROUTES);
