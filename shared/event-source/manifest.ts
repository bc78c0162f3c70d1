import { z } from 'zod';
import { WarrenError } from '../errors.ts';
import { problemsOf } from '../problems.ts';

const manifestFunction = z.object({
  handler: z.string(),
  name: z.string().optional(),
  /** Seconds. */
  timeout: z.number().positive().optional(),
  environment: z.record(z.string(), z.coerce.string()).optional(),
  events: z.array(z.unknown()).optional(),
});

const manifest = z.object({
  service: z.string().optional(),
  functions: z.record(z.string(), manifestFunction),
  custom: z.record(z.string(), z.unknown()).optional(),
});

/** What a worker needs of serverless.yml, its variables resolved: in a container there is nothing to resolve them. */
export type Manifest = z.output<typeof manifest>;
export type ManifestFunction = z.output<typeof manifestFunction>;

const printed = manifest.extend({
  provider: z
    .object({
      timeout: z.number().positive().optional(),
      environment: z.record(z.string(), z.coerce.string()).optional(),
    })
    .loose(),
});

/**
 * Makes the manifest from what `serverless print --format json` says: only the functions that queues feed, the
 * provider's settings folded into each. Empty variables are left out, since the container's own environment fills them.
 *
 * @throws WarrenError ERR_CONFIG for anything else.
 */
export function toManifest(text: string): Manifest {
  const { service, provider, functions, custom } = check(printed, parse(text), 'serverless print');
  const fed = Object.entries(functions).filter(([, { events = [] }]) => events.some(isRabbitmq));
  return {
    ...(service !== undefined && { service }),
    functions: Object.fromEntries(
      fed.map(([name, { handler, timeout = provider.timeout ?? 6, environment, events = [] }]) => {
        const set = Object.entries({ ...provider.environment, ...environment }).filter(
          ([, value]) => value !== '',
        );
        return [
          name,
          { handler, timeout, environment: Object.fromEntries(set), events: events.filter(isRabbitmq) },
        ];
      }),
    ),
    custom: { warren: custom?.['warren'] },
  };
}

/**
 * Reads a manifest.
 *
 * @throws WarrenError ERR_CONFIG that says what is wrong with it.
 */
export function readManifest(text: string): Manifest {
  return check(manifest, parse(text), 'the manifest');
}

function isRabbitmq(event: unknown): boolean {
  return typeof event === 'object' && event !== null && 'rabbitmq' in event;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WarrenError('ERR_CONFIG', 'the manifest: expected JSON', { cause });
  }
}

function check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new WarrenError('ERR_CONFIG', `${what}: ${problemsOf(result.error).join('; ')}`);
}
