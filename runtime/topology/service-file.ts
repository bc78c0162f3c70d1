import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { WarrenError } from '../base/errors.ts';
import { problemsUnder } from '../base/schema-problems.ts';
import { compileTopology, type Topology } from './compile.ts';
import { consumedQueues, queueEvents } from './consumed-queues.ts';
import { readSection, type Section, topologyError } from './schema.ts';
import { resolveAdvice, unresolvedProblems } from './unresolved.ts';
import { parseYaml } from './yaml-text.ts';

/** The parts of a service that concern the broker: `custom.warren`, and the events of its functions. */
export interface Service {
  name?: string | undefined;
  section: Section;
  functions: Readonly<Record<string, { events?: readonly unknown[] | undefined }>>;
}

/**
 * Reads the topology of a serverless.yml and checks it against the functions in the same file.
 *
 * @param path default `serverless.yml` in the current folder.
 * @throws WarrenError ERR_TOPOLOGY if the file cannot be read, is inconsistent, or has variables in names.
 */
export async function readTopology(path = 'serverless.yml'): Promise<Topology> {
  return serviceTopology(await readService(path));
}

/**
 * Reads the parts of a serverless.yml that concern the broker, without resolving variables.
 *
 * @throws WarrenError ERR_TOPOLOGY if the file cannot be read, or has variables in names.
 */
export async function readService(path: string): Promise<Service> {
  return toService(await readYaml(path));
}

/**
 * Reads a YAML file without resolving its variables.
 *
 * @throws WarrenError ERR_TOPOLOGY if the file cannot be read, or is no YAML.
 */
export async function readYaml(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new WarrenError('ERR_TOPOLOGY', `${path} can't be read; run this in the folder that holds it`, {
      cause,
    });
  });
  return parseYaml(text, path);
}

/**
 * Checks a serverless.yml or a manifest that is parsed already.
 *
 * @throws WarrenError ERR_TOPOLOGY that names the place of each problem.
 */
export function toService(parsed: unknown): Service {
  const result = serviceShape().safeParse(parsed);
  if (!result.success) throw topologyError(problemsUnder([], result.error, parsed, 'the service'));
  const { service: name, custom, functions = {} } = result.data;
  const unresolved = Object.entries(functions).flatMap(([name, definition]) =>
    consumedQueues({ [name]: definition }).flatMap((queue) =>
      unresolvedProblems(queue, ['functions', name, 'events'], `functions.${name}: rabbitmq: queue`),
    ),
  );
  if (unresolved.length > 0) throw topologyError(unresolved);
  return { name, section: readSection(custom?.['warren']), functions };
}

/**
 * Returns the topology of a service.
 *
 * @throws WarrenError ERR_TOPOLOGY if `custom.warren` and the functions are inconsistent.
 */
export function serviceTopology({ section, functions }: Service): Topology {
  return compileTopology(section, queueEvents(functions));
}

// A function, because making a schema takes time, and a cold start needs none.
const serviceShape = () => {
  const error = `expected a mapping; if a variable is in its place, ${resolveAdvice}`;
  const definition = z.object({ events: z.array(z.unknown(), { error }).optional() }, { error });
  return z.object(
    {
      service: z.string().optional().catch(undefined),
      custom: z.record(z.string(), z.unknown(), { error }).optional(),
      functions: z.record(z.string(), definition, { error }).optional(),
    },
    { error },
  );
};
