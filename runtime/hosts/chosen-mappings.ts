import { WarrenError } from '../base/errors.ts';
import { type Mapping, readMappings } from '../event-source/mapping.ts';
import { readSection } from '../topology/schema.ts';
import type { Manifest } from './manifest.ts';

/**
 * Returns the queues that feed functions of a manifest.
 *
 * @param wanted the functions; default every function that a queue feeds.
 * @throws WarrenError ERR_CONFIG if a function does not exist or no queue feeds it.
 */
export function chooseMappings(manifest: Manifest, wanted: readonly string[] | undefined): Mapping[] {
  const all = readMappings(manifest.functions, readSection(manifest.custom?.['warren']));
  if (!wanted || wanted.length === 0) return all;
  const fed = new Set(all.map(({ functionName }) => functionName));
  const unknown = wanted.filter((name) => !fed.has(name));
  if (unknown.length > 0) {
    const expected = [...fed].join(', ');
    throw new WarrenError('ERR_CONFIG', `functions: expected some of ${expected}, got ${unknown.join(', ')}`);
  }
  return all.filter(({ functionName }) => wanted.includes(functionName));
}
