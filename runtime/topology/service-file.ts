import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { WarrenError } from '../base/errors.ts';
import { compileTopology, consumedQueues, type Topology } from './compile.ts';
import { readSection } from './schema.ts';

/**
 * Reads the topology of a serverless.yml and checks it against the functions in the same file.
 *
 * @param path default `serverless.yml` in the current folder.
 * @throws WarrenError ERR_TOPOLOGY if the file cannot be read or is inconsistent.
 */
export async function readTopology(path = 'serverless.yml'): Promise<Topology> {
  const { section, functions } = await readService(path);
  return compileTopology(section, consumedQueues(functions));
}

/** The part of a serverless.yml that is about the broker, as it stands there: `custom.warren` and the functions' events. */
export async function readService(path: string) {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new WarrenError('ERR_TOPOLOGY', `${path} can't be read; run this in the folder that holds it`, {
      cause,
    });
  });
  const { custom, functions = {} } = serviceShape().parse(parse(text));
  return { section: readSection(custom?.['warren']), functions };
}

// A function, because making a schema takes time, and a cold start needs none.
const serviceShape = () =>
  z.object({
    custom: z.record(z.string(), z.unknown()).optional(),
    functions: z.record(z.string(), z.object({ events: z.array(z.unknown()).optional() })).optional(),
  });
