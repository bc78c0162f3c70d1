import { jsonText, WarrenError } from 'warren/functions';
import { z } from 'zod';
import { addressesField } from '../delivery/addresses.ts';

// Errors never contain the URL itself, because it is a secret.
const expectedUrl =
  'expected a URL such as https://hooks.example.com/services/..., without user and password';

// Created on demand, like all settings.
const route = () => {
  const common = {
    subject: z.string({ error: 'expected a text' }).min(1, 'expected a text'),
    /** Groups alerts without a dedup_key by their routing key. */
    dedup: z.literal('routing_key', { error: 'expected "routing_key"' }).optional(),
    /** Seconds between summaries of alerts with the same key, default 300. */
    summary_interval: z
      .int({ error: 'expected whole seconds' })
      .min(60, 'expected at least 60 seconds: summaries are sent once a minute')
      .max(86_400, 'expected at most 86400 seconds')
      .optional(),
  };
  return z.discriminatedUnion(
    'channel',
    [
      z.strictObject({ channel: z.literal('mail').optional(), to: addressesField(), ...common }),
      z.strictObject({
        channel: z.literal('webhook'),
        /** Receives Slack's JSON, `{"text"}`. */
        url: z.string({ error: expectedUrl }).refine(isWebhook, { error: expectedUrl }),
        ...common,
      }),
    ],
    { error: 'expected {"subject", "to"} or {"channel": "webhook", "subject", "url"}' },
  );
};

/** Recipient, channel and subject for the alerts of a queue. */
export type AlertRoute = z.output<ReturnType<typeof route>>;

/** The routes by queue. */
export type AlertRoutes = Readonly<Record<string, AlertRoute>>;

/** Reads the routes from one variable that contains JSON, into which Compose and serverless.yml put recipients as they are. */
export const routesAsJson = () =>
  jsonText('{"<queue>": {"subject", "to"}}, with names of recipients without quotes').pipe(
    z.record(z.string(), route()),
  );

/**
 * Returns the route of a queue.
 *
 * @throws WarrenError ERR_CONFIG if the queue has no route.
 */
export function routeOf(routes: AlertRoutes, queue: string): AlertRoute {
  checkRoutes(routes, [queue]);
  return routes[queue] as AlertRoute;
}

/**
 * Checks that each queue has a route.
 *
 * @throws WarrenError ERR_CONFIG that names the queues without one.
 */
export function checkRoutes(routes: AlertRoutes, queues: readonly string[]): void {
  const missing = queues.filter((queue) => !Object.hasOwn(routes, queue)).map((queue) => `"${queue}"`);
  if (missing.length === 0) return;
  throw new WarrenError('ERR_CONFIG', `ALERT_ROUTES has no entry for the queue ${missing.join(', ')}`);
}

function isWebhook(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return ['http:', 'https:'].includes(protocol) && username === '' && password === '';
}
