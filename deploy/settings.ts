import * as z from 'zod';
import { originsOf } from './addresses.ts';

const list = z.string().transform((text) => text.split(',').flatMap((each) => each.trim() || []));

const limit = z.object({ rate: z.coerce.number().min(1), burst: z.coerce.number().int().min(1) });

/** `custom.deploy` of serverless.yml. */
export const settings = z.object({
  /** Reference to a secret by variable, or an empty text for an unused secret. A deployment contains no secret itself. */
  secrets: z.record(z.string(), z.string()),
  secretsKey: z.string(),
  subnets: list,
  securityGroups: list,
  alarmMail: z.string(),
  throttle: limit.extend({ routes: z.record(z.string(), limit) }),
  /** Addresses of other pages that may use the HTTP API, separated by commas. */
  origins: z.string().transform((text) => originsOf('origins', text)),
  gatewayTokens: z.enum(['true', 'false']).transform((text) => text === 'true'),
  concurrencyQuota: z.coerce.number().int().min(1),
  brokerArn: z.string(),
  /** Audience of the tokens with which functions log in at the broker by IAM; empty if they have passwords. */
  brokerAudience: z
    .string()
    .regex(/^[\w:/.-]{0,200}$/, 'brokerAudience: expected the audience of the broker, such as rabbitmq')
    .default(''),
  domain: z.string(),
  certificateArn: z.string(),
  /** Id of the zone in Route 53 that gets a record of the domain. */
  hostedZone: z.string().default(''),
  database: z.object({
    instance: z.string(),
    /** Id of a database at RDS and a user that logs in by IAM; empty if it has a password. */
    login: z
      .string()
      .regex(
        /^$|^(db|cluster|prx)-[A-Za-z0-9]+\/[\w{}.-]+$/,
        'databaseLogin: expected a resource id and a user, such as db-ABCDEFGHIJKL01234/functions or .../{group}',
      ),
    connections: z.coerce.number().int().min(1),
    storageGiB: z.coerce.number().min(1),
  }),
  ses: z.enum(['true', 'false']),
});
export type Settings = z.output<typeof settings>;
