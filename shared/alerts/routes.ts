import { jsonText, WarrenError } from 'warren/functions';
import * as z from 'zod';
import { addressesField } from '../delivery/addresses.ts';

// Errors never contain the URL itself, because it is a secret.
const expectedUrl =
  'expected a URL such as https://hooks.example.com/services/..., without user and password';

/** The variables that a route may name. */
export const recipientVariables = ['ALERTS_OPS_TO', 'ALERTS_API_TO'] as const;

/** Mail addresses by the variable that contains them; undefined if it is not set. */
export type Recipients = Readonly<Partial<Record<(typeof recipientVariables)[number], string | undefined>>>;

/** Mail addresses, or the variable that contains them: so no name of a recipient has to be escaped in JSON. */
const recipients = () =>
  z.union([addressesField(), z.strictObject({ variable: z.enum(recipientVariables) })], {
    error: `expected mail addresses such as ops@example.com, or {"variable"} with ${recipientVariables.join(' or ')}`,
  });

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
      z.strictObject({ channel: z.literal('mail').optional(), to: recipients(), ...common }),
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

type RouteSetting = z.output<ReturnType<typeof route>>;
type MailSetting = Extract<RouteSetting, { to: unknown }>;

/** Recipient, channel and subject for the alerts of a queue. */
export type AlertRoute = Exclude<RouteSetting, MailSetting> | (Omit<MailSetting, 'to'> & { to: string });

/** The routes by queue. */
export type AlertRoutes = Readonly<Record<string, AlertRoute>>;

/** The routes as ALERT_ROUTES contains them. */
type RouteSettings = Readonly<Record<string, RouteSetting>>;

/** Reads the routes from one variable that contains JSON. */
export const routesAsJson = () =>
  jsonText('{"<queue>": {"subject", "to"}}').pipe(z.record(z.string(), route()));

/** Returns the queues whose route names a variable that is not set, each with that variable. */
export function missingRecipients(routes: RouteSettings, given: Recipients): [string, string][] {
  return Object.entries(routes).flatMap(([queue, route]) => {
    if (route.channel === 'webhook' || typeof route.to === 'string') return [];
    const { variable } = route.to;
    return given[variable] === undefined ? [[queue, variable]] : [];
  });
}

/**
 * Puts the recipients into the routes that name their variable.
 *
 * @throws WarrenError ERR_CONFIG if one is not set.
 */
export function withRecipients(routes: RouteSettings, given: Recipients): AlertRoutes {
  const read = Object.entries(routes).map(([queue, route]): [string, AlertRoute] => {
    if (route.channel === 'webhook') return [queue, route];
    const to = typeof route.to === 'string' ? route.to : given[route.to.variable];
    if (to !== undefined) return [queue, { ...route, to }];
    throw new WarrenError('ERR_CONFIG', `ALERT_ROUTES.${queue}.to names a variable that is not set`);
  });
  return Object.fromEntries(read);
}

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
