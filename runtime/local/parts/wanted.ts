import { join } from 'node:path';
import { problemsUnder } from '../../base/schema-problems.ts';
import { type DevPart, devField } from '../../topology/dev-field.ts';
import { topologyError } from '../../topology/schema.ts';
import { readYaml } from '../../topology/service-file.ts';
import { withPlaces } from '../../topology/yaml-places.ts';

/**
 * Reads which parts a project needs beside the broker. They start before serverless.yml is read with its variables, because these name
 * the addresses of the parts.
 *
 * @throws WarrenError ERR_TOPOLOGY if the file cannot be read, or for anything but a list of known parts.
 */
export async function wantedParts(root: string): Promise<DevPart[]> {
  const path = join(root, 'serverless.yml');
  return withPlaces(path, async () => {
    const dev = valueIn(await readYaml(path), ['custom', 'warren', 'dev']);
    if (dev === undefined) return [];
    const result = devField().safeParse(dev);
    if (result.success) return result.data.parts;
    throw topologyError(problemsUnder(['custom', 'warren', 'dev'], result.error, dev));
  });
}

const valueIn = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (found, key) =>
      typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[key] : undefined,
    value,
  );
