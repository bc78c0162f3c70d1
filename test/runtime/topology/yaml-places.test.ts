import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PathPart, ProblemsError } from '../../../runtime/base/problems.ts';
import { withPlaces } from '../../../runtime/topology/yaml-places.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-places-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Line and column that the error of a problem at this path names. */
async function placeOf(text: string, path: readonly PathPart[]): Promise<string | undefined> {
  const file = join(folder, 'serverless.yml');
  await writeFile(file, text);
  const work = () => {
    throw new ProblemsError('ERR_CONFIG', [{ path, text: 'a problem' }]);
  };
  const error = await withPlaces(file, work).catch((caught: Error) => caught);
  return /serverless\.yml:(\d+:\d+): a problem/.exec(String((error as Error).message))?.[1];
}

const yml = `shared: &shared
  batchSize: many
both: &both { window: 1 }
functions:
  merged:
    <<: *shared
  listed:
    <<: [*both, *shared]
    window: 2
  aliased: *shared
`;

describe('places in a serverless.yml', () => {
  it.each([
    ['in an anchor that is merged', ['functions', 'merged', 'batchSize'], '2:3'],
    ['in one of several anchors that are merged', ['functions', 'listed', 'batchSize'], '2:3'],
    ['of a key that replaces a merged one', ['functions', 'listed', 'window'], '9:5'],
    ['in an anchor that stands for the whole', ['functions', 'aliased', 'batchSize'], '2:3'],
    ['that is missing is that of the part around it', ['functions', 'merged', 'queue'], '5:3'],
  ])('a problem %s has the line of what is written there', async (_, path, place) => {
    expect(await placeOf(yml, path)).toBe(place);
    expect(await placeOf(yml.replaceAll('\n', '\r\n'), path)).toBe(place);
  });
});
