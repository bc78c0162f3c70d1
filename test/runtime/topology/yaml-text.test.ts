import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readYaml } from '../../../runtime/topology/service-file.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-yaml-'));
});
afterAll(() => rm(folder, { recursive: true }));

const read = async (text: string) => {
  const path = join(folder, 'serverless.yml');
  await writeFile(path, text);
  return readYaml(path);
};

describe('the text of a serverless.yml', () => {
  it.each([
    ['a key that comes twice', 'service: a\nservice: b\n', '2:1: Map keys must be unique'],
    ['lines that end as on Windows', 'a: 1\r\nb:\r\n  c: 1\r\n  c: 2\r\n', '4:3: Map keys must be unique'],
    ['a tab as indentation', 'a:\n\tb: 1\n', '2:1: Tabs are not allowed as indentation'],
    ['an alias of no anchor', 'a: 1\nb: *other\n', '2:4: expected an anchor "&other" before the alias'],
    ['an alias before its anchor', 'a: *b\nb: &b 1\n', '1:4: expected an anchor "&b" before the alias'],
    ['a second document', 'a: 1\n---\nb: 2\n', '2:1: expected one document'],
  ])('%s is reported with file and line', async (_, text, expected) => {
    await expect(read(text)).rejects.toMatchObject({
      code: 'ERR_TOPOLOGY',
      message: expect.stringContaining(`serverless.yml:${expected}`),
    });
  });

  it('aliases have the value of the last anchor before them: of a text, a list, a map and a key', async () => {
    const text = 'a: &a 1\nb: &b [*a]\nc: &c { d: *b }\n? &e e\n: *c\nf: &a 2\ng: [*a, *e]\n';
    const c = { d: [1] };
    expect(await read(text)).toEqual({ a: 1, b: [1], c, e: c, f: 2, g: [2, 'e'] });
  });

  it('tags of CloudFormation are no mistake, and no warning is printed about them', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    const parsed = await read('resources:\n  Outputs:\n    Name: { Value: !Ref Other }\n');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect([parsed, warnings]).toEqual([{ resources: { Outputs: { Name: { Value: 'Other' } } } }, []]);
  });
});
