import * as z from 'zod';
import { WarrenError } from '../base/errors.ts';
import { ProblemsError } from '../base/problems.ts';
import { problemsUnder } from '../base/schema-problems.ts';

/** A text; a template has a placeholder instead, whose value only a deployment knows. */
const environment = z
  .record(z.string(), z.unknown())
  .transform((variables) =>
    Object.fromEntries(
      Object.entries(variables).flatMap(([name, value]) =>
        ['string', 'number', 'boolean'].includes(typeof value) ? [[name, String(value)]] : [],
      ),
    ),
  );

const manifestFunction = z.object({
  handler: z.string(),
  name: z.string().optional(),
  /** Seconds. */
  timeout: z.number().positive().optional(),
  environment: environment.optional(),
  events: z.array(z.unknown()).optional(),
});

const manifest = z.object({
  service: z.string().optional(),
  functions: z.record(z.string(), manifestFunction),
  custom: z.record(z.string(), z.unknown()).optional(),
});

/** The part of serverless.yml that a container needs. Its variables are resolved, because a container cannot resolve them. */
export type Manifest = z.output<typeof manifest>;

const printed = manifest.extend({
  provider: z
    .object({
      timeout: z.number().positive().optional(),
      environment: environment.optional(),
    })
    .loose(),
});

/**
 * Makes the manifest from the output of `serverless print --format json`: the functions that a queue, a route or a schedule
 * calls, with the provider's settings merged into each. Empty variables are left out, because the container's own environment
 * fills them in.
 *
 * @throws WarrenError ERR_CONFIG for any other text.
 */
export function toManifest(text: string): Manifest {
  const { service, provider, functions, custom } = check(printed, parse(text));
  const called = Object.entries(functions).filter(([, { events = [] }]) => events.some(isHosted));
  return {
    ...(service !== undefined && { service }),
    functions: Object.fromEntries(
      called.map(([name, { handler, timeout = provider.timeout ?? 6, environment, events = [] }]) => {
        const set = Object.entries({ ...provider.environment, ...environment }).filter(
          ([, value]) => value !== '',
        );
        return [
          name,
          { handler, timeout, environment: Object.fromEntries(set), events: events.filter(isHosted) },
        ];
      }),
    ),
    custom: { warren: custom?.['warren'] },
  };
}

/**
 * Reads a manifest.
 *
 * @throws WarrenError ERR_CONFIG that names each problem.
 */
export function readManifest(text: string): Manifest {
  return check(manifest, parse(text), 'the manifest: ');
}

/** Whether a container can call a function for this event. */
function isHosted(event: unknown): boolean {
  const kinds = ['rabbitmq', 'httpApi', 'schedule'];
  return typeof event === 'object' && event !== null && kinds.some((kind) => kind in event);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WarrenError('ERR_CONFIG', 'the manifest: expected JSON', { cause });
  }
}

function check<T>(schema: z.ZodType<T>, value: unknown, before = ''): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = problemsUnder([], result.error, value);
  throw new ProblemsError('ERR_CONFIG', problems, (texts) => before + texts.join('; '));
}
