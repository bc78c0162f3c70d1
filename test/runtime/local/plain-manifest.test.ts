import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainManifest } from '../../../runtime/local/plain-manifest.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-plain-'));
});
afterAll(() => rm(folder, { recursive: true }));

const manifestOf = async (text: string, env: Record<string, string> = {}) => {
  const path = join(folder, 'serverless.yml');
  await writeFile(path, text);
  return plainManifest(path, env);
};

describe('a serverless.yml without the serverless CLI', () => {
  it('a variable of the environment is resolved, with its default if it is not set', async () => {
    const yml = `service: \${env:GIVEN}-\${env:MISSING, 'b'}\nfunctions: {}\n`;
    const { service } = await manifestOf(yml, { GIVEN: 'a' });
    expect(service).toBe('a-b');
  });

  it.each(['self:custom.name', 'file("names.json"):one', 'opt:stage'])(
    'the error for the variable of %s names its line',
    async (variable) => {
      const yml = `service: s\r\nprovider:\r\n  environment:\r\n    A: '\${${variable}}'\r\nfunctions: {}\r\n`;
      await expect(manifestOf(yml)).rejects.toMatchObject({
        code: 'ERR_CONFIG',
        message: expect.stringMatching(/serverless\.yml:4:9: expected only variables of the environment/),
      });
    },
  );

  it('a text that begins like a variable and does not end as one is only a text', async () => {
    const work = 'work: { handler: work.handler, events: [{ httpApi: GET / }] }';
    const yml = `service: s\nprovider: { name: aws, environment: { PRICE: '$\{5' } }\nfunctions: { ${work} }\n`;
    const { functions } = await manifestOf(yml);
    expect(functions['work']?.environment).toEqual({ PRICE: '${5' });
  });
});
