import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { WarrenError } from '../errors.ts';
import { compileTopology, consumedQueues, type Topology } from './topology.ts';

/**
 * Reads the topology of a serverless.yml and checks it against the functions in the same file.
 *
 * @param path default `serverless.yml` in the current folder.
 * @throws WarrenError ERR_TOPOLOGY where the file can't be read or doesn't hold together.
 */
export async function readTopology(path = 'serverless.yml'): Promise<Topology> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new WarrenError('ERR_TOPOLOGY', `${path} can't be read; run this in the folder that holds it`, {
      cause,
    });
  });
  const service = serviceShape.parse(parse(text));
  return compileTopology(service.custom?.['warren'], consumedQueues(service.functions ?? {}));
}

const serviceShape = z.object({
  custom: z.record(z.string(), z.unknown()).optional(),
  functions: z.record(z.string(), z.object({ events: z.array(z.unknown()).optional() })).optional(),
});
