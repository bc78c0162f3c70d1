import { z } from 'zod';
import { routesAsJson } from '../../shared/alerts/routes.ts';
import { variantsAsJson } from '../../shared/pictures/image/settings.ts';
import { mostOriginalBytes } from '../../shared/pictures/originals.ts';
import { brokerUrls } from '../amqp/urls.ts';
import { WarrenError } from '../base/errors.ts';
import { problemsOf } from '../base/schema-problems.ts';
import { parseReference } from './references.ts';
// Not by import() where it is needed: a bundle would then put off all that this shares with us, zod too, which costs more.
import { readSecrets } from './secrets.ts';

const url = (protocols: string[], example: string) =>
  z.string().refine(
    (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
    // Never the value itself: it may hold a password.
    { error: `expected a URL such as ${example}` },
  );

const expectedBroker =
  'expected a URL such as amqp://user:password@host:5672, or several separated by commas';
const isBrokerUrl = (text: string) => URL.canParse(text) && /^amqps?:$/.test(new URL(text).protocol);

// Functions, since each schema takes its time to be made, and a function needs a few of them at its cold start.
const broker = () =>
  z.object({
    AMQP_URL: z
      .string({ error: expectedBroker })
      .refine((text) => brokerUrls(text).length > 0 && brokerUrls(text).every(isBrokerUrl), {
        error: expectedBroker,
      }),
  });

const database = () =>
  z.object({
    DATABASE_URL: url(['postgres:', 'postgresql:'], 'postgres://user:password@host:5432/warren'),
  });

const storage = () =>
  z.object({
    S3_BUCKET: z.string().min(3, 'expected the name of a bucket'),
    S3_ENDPOINT: url(['http:', 'https:'], 'http://127.0.0.1:9000').optional(),
    /** Where clients outside reach the storage, if that is not S3_ENDPOINT: signed links lead there. */
    S3_PUBLIC_ENDPOINT: url(['http:', 'https:'], 'https://storage.example.com').optional(),
    S3_PUBLIC_URL: url(['http:', 'https:'], 'https://pictures.example.com').optional(),
    AWS_REGION: z.string().default('us-east-1'),
    /** Without these, the SDK looks for credentials where it always does. */
    AWS_ACCESS_KEY_ID: z.string().optional(),
    AWS_SECRET_ACCESS_KEY: z.string().optional(),
    AWS_SESSION_TOKEN: z.string().optional(),
  });

const variants = () =>
  z.object({
    /** Which renditions a picture gets. */
    PICTURE_VARIANTS: variantsAsJson(),
  });

const mail = () =>
  z.object({
    SMTP_URL: url(['smtp:', 'smtps:'], 'smtp://user:password@host:587'),
    MAIL_FROM: z.string().default('Warren <warren@example.com>'),
  });

const alerts = () =>
  z.object({
    /** Who gets the alerts of which queue. */
    ALERT_ROUTES: routesAsJson(),
  });

const auth = () =>
  z
    .object({
      AUTH_JWT_SECRET: z.string().min(32, 'expected at least 32 characters').optional(),
      AUTH_JWKS_URL: url(['http:', 'https:'], 'https://issuer.example.com/.well-known/jwks.json').optional(),
      AUTH_ISSUER: z.string().optional(),
      AUTH_AUDIENCE: z.string().optional(),
    })
    .refine((value) => value.AUTH_JWT_SECRET !== undefined || value.AUTH_JWKS_URL !== undefined, {
      path: ['AUTH_JWT_SECRET'],
      error: 'expected AUTH_JWT_SECRET or AUTH_JWKS_URL',
    })
    // An issuer signs tokens for other applications with the same keys.
    .refine(
      ({ AUTH_JWKS_URL, AUTH_AUDIENCE, AUTH_ISSUER }) =>
        AUTH_JWKS_URL === undefined || (AUTH_AUDIENCE !== undefined && AUTH_ISSUER !== undefined),
      { path: ['AUTH_JWKS_URL'], error: 'expected AUTH_AUDIENCE and AUTH_ISSUER beside it' },
    );

const uploads = () =>
  z.object({
    /** The most that a large upload may hold, in bytes. */
    UPLOAD_MAX_BYTES: z.coerce
      .number('expected a number of bytes')
      .int('expected a whole number of bytes')
      .min(1, 'expected at least 1 byte')
      .max(
        mostOriginalBytes,
        `expected at most ${mostOriginalBytes}, which is all that is read of an original`,
      )
      .default(mostOriginalBytes),
  });

const unsubscribe = () =>
  z.object({
    /** A key of its own: what signs links in mails must not be able to sign tokens. */
    UNSUBSCRIBE_SECRET: z
      .string({ error: 'expected at least 32 characters' })
      .min(32, 'expected at least 32 characters'),
  });

const links = () =>
  z.object({
    /** Where the HTTP functions are, for the links in mails. */
    PUBLIC_URL: url(['http:', 'https:'], 'https://warren.example.com'),
  });

const management = () =>
  z.object({
    AMQP_MANAGEMENT_URL: url(['http:', 'https:'], 'http://user:password@host:15672').optional(),
  });

const development = () =>
  z.object({
    /** Whether anybody gets a token for the asking. */
    WARREN_DEV_SIGN_IN: z.enum(['true', 'false']).default('false'),
  });

const texts = () =>
  z.object({
    /** Takes text messages, as JSON in a POST; without one, none are sent. */
    TEXTS_WEBHOOK_URL: url(['http:', 'https:'], 'https://texts.example.com/send').optional(),
  });

const units = { second: 1, minute: 60, hour: 3600 } as const;
const expectedRate = 'expected a number and its period, such as 600/minute (or second, or hour), or off';

/** How often each user may do something; undefined for as often as they like. */
const rate = (otherwise: string) =>
  z
    .string()
    .default(otherwise)
    .refine((text) => /^([1-9]\d{0,4}\/(second|minute|hour)|off)$/.test(text), { error: expectedRate })
    .transform((text) => {
      const [count, unit] = text.split('/');
      return unit === undefined
        ? undefined
        : { count: Number(count), seconds: units[unit as keyof typeof units] };
    });

const alertLimit = () => z.object({ RATE_LIMIT_ALERTS: rate('600/minute') });
const uploadLimit = () => z.object({ RATE_LIMIT_UPLOADS: rate('600/minute') });
const orderLimit = () => z.object({ RATE_LIMIT_ORDERS: rate('600/minute') });

const log = () =>
  z.object({
    LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    /** Set by Lambda and by serverless-offline; names the AMQP connections. */
    AWS_LAMBDA_FUNCTION_NAME: z.string().default('warren'),
  });

const metrics = () =>
  z.object({
    /** What CloudWatch files the functions' own metrics under. */
    METRICS_NAMESPACE: z.string().default('warren'),
  });

const lambda = () =>
  z.object({
    /** Where the Lambda API is, for anything but AWS. */
    LAMBDA_URL: url(['http:', 'https:'], 'http://127.0.0.1:3002').optional(),
  });

const sections = {
  ...{ broker, management, database, storage, variants, mail, alerts, auth, development, lambda, log },
  ...{ alertLimit, uploadLimit, orderLimit },
  ...{ uploads, unsubscribe, links, texts, metrics },
};
type Sections = typeof sections;

/** The settings of the named sections, by section. */
export type Config<Name extends keyof Sections> = { [K in Name]: z.output<ReturnType<Sections[K]>> };

/**
 * Reads the environment once and checks it as a whole.
 *
 * @param names the sections the caller needs; a function asks for no more than it uses.
 * @param env the environment; an empty variable counts as unset.
 * @throws WarrenError with code ERR_CONFIG that names every problem at once, and no value.
 */
export function readConfig<Name extends keyof Sections>(
  names: readonly Name[],
  env: Record<string, string | undefined> = process.env,
): Config<Name> {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const problems: string[] = [];
  const config: Partial<Record<keyof Sections, unknown>> = {};
  for (const name of names) {
    const result = sections[name]().safeParse(present);
    if (result.success) config[name] = result.data;
    else problems.push(...problemsOf(result.error));
  }
  if (problems.length > 0) {
    throw new WarrenError('ERR_CONFIG', `the environment is incomplete:\n  ${problems.join('\n  ')}`);
  }
  return config as Config<Name>;
}

/**
 * As `readConfig`, for a function: a variable may name a secret in place of holding it (`ssm:/warren/prod/amqp-url`), and
 * that is read first.
 *
 * @throws WarrenError ERR_CONFIG as above, and for secrets that are not there; UnavailableError where AWS does not answer.
 */
export async function loadConfig<Name extends keyof Sections>(
  names: readonly Name[],
  env: Record<string, string | undefined> = process.env,
): Promise<Config<Name>> {
  const variables = names.flatMap((name) => Object.keys(sections[name]().shape));
  const references = variables.flatMap((variable) => {
    const text = env[variable];
    return text !== undefined && parseReference(text) ? [[variable, text] as const] : [];
  });
  if (references.length === 0) return readConfig(names, env);
  return readConfig(names, { ...env, ...(await readSecrets(Object.fromEntries(references), { env })) });
}
