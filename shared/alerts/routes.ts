import { z } from 'zod';

// Never the value itself: it is a password.
const expectedUrl =
  'expected a URL such as https://hooks.example.com/services/..., without user and password';

// Made where it is asked for, as all settings are.
const route = () => {
  const common = {
    subject: z.string({ error: 'expected a text' }).min(1, 'expected a text'),
    /** What makes alerts the same: their dedup_key, or else the routing key where this says so. */
    dedup: z.literal('routing_key', { error: 'expected "routing_key"' }).optional(),
    /** Seconds between summaries of alerts that are the same, default 300. */
    summary_interval: z
      .int({ error: 'expected whole seconds' })
      .min(60, 'expected at least 60 seconds: summaries are sent once a minute')
      .max(86_400, 'expected at most 86400 seconds')
      .optional(),
  };
  const to = z.string({ error: 'expected a mail address' }).min(3, 'expected a mail address');
  return z.discriminatedUnion(
    'channel',
    [
      z.strictObject({ channel: z.literal('mail').optional(), to, ...common }),
      z.strictObject({
        channel: z.literal('webhook'),
        /** Takes Slack's JSON, `{"text"}`. */
        url: z.string({ error: expectedUrl }).refine(isWebhook, { error: expectedUrl }),
        ...common,
      }),
    ],
    { error: 'expected {"subject", "to"} or {"channel": "webhook", "subject", "url"}' },
  );
};

/** Who gets the alerts of a queue, where, and under which subject. */
export type AlertRoute = z.output<ReturnType<typeof route>>;

/** By queue. */
export type AlertRoutes = Readonly<Record<string, AlertRoute>>;

/** The routes as JSON in one variable. */
export const routesAsJson = () =>
  z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.issues.push({
          code: 'custom',
          input: text,
          message: 'expected JSON: {"<queue>": {"subject", "to"}}',
        });
        return z.NEVER;
      }
    })
    .pipe(z.record(z.string(), route()));

/**
 * The route of a queue.
 *
 * @throws Error where it has none.
 */
export function routeOf(routes: AlertRoutes, queue: string): AlertRoute {
  const found = Object.hasOwn(routes, queue) ? routes[queue] : undefined;
  if (!found) throw new Error(`ALERT_ROUTES has no entry for the queue "${queue}"`);
  return found;
}

function isWebhook(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return ['http:', 'https:'].includes(protocol) && username === '' && password === '';
}
