import { z } from 'zod';
import { functionsOf, readGroupsService } from './chart/service.ts';

const keys = z.union([z.string(), z.array(z.string())]);
const rightsService = z.object({
  functions: z.record(z.string(), z.object({ bucket: z.record(z.string(), keys).optional() })),
});

/**
 * What each group of functions may do with the bucket, by action of S3's, with the patterns of keys: the rights that
 * serverless.yml gives its functions.
 *
 * @param yml the parsed serverless.yml.
 * @returns the text of deploy/storage-rights.json.
 */
export function storageRightsFile(yml: unknown): string {
  const service = readGroupsService(yml);
  const { functions } = rightsService.parse(yml);
  const groups = Object.keys(service.custom.warren.users).flatMap((group) => {
    const names = functionsOf(service, group) ?? [];
    const rights = merged(names.map((name) => functions[name]?.bucket ?? {}));
    return Object.keys(rights).length > 0 ? [[group, rights] as const] : [];
  });
  return `${JSON.stringify(Object.fromEntries(groups), null, 2)}\n`;
}

function merged(all: readonly Record<string, string | string[]>[]): Record<string, string[]> {
  const patterns = new Map<string, Set<string>>();
  for (const [action, given] of all.flatMap((each) => Object.entries(each))) {
    const known = patterns.get(action) ?? new Set();
    for (const pattern of [given].flat()) known.add(pattern);
    patterns.set(action, known);
  }
  return Object.fromEntries([...patterns].map(([action, set]) => [action, minimal([...set]).toSorted()]));
}

/** `*` includes all others. */
const minimal = (patterns: string[]) => (patterns.includes('*') ? ['*'] : patterns);
