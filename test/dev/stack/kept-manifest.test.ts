import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keptManifest } from '../../../dev/stack/kept-manifest.ts';
import { projectFile } from '../../../dev/stack/project.ts';
import { readManifest } from '../../../runtime/hosts/manifest.ts';

describe('the kept manifest of npm start', () => {
  let folder: string;
  let prints: number;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-manifest-'));
    prints = 0;
  });
  afterEach(() => rm(folder, { recursive: true }));

  const read = (env: Record<string, string> = {}) =>
    keptManifest(folder, {
      env,
      print: async () => {
        prints += 1;
        return JSON.stringify({ service: `print ${prints}`, functions: {} });
      },
    });

  it('is read once, and again for another value of a variable that serverless.yml names', async () => {
    expect(await read()).toEqual(readManifest('{"service":"print 1","functions":{}}'));
    expect((await read({ NOT_IN_THE_FILE: 'x' })).service).toBe('print 1');
    expect((await read({ SMTP_URL: 'smtp://127.0.0.1' })).service).toBe('print 2');
    expect((await read({ SMTP_URL: 'smtp://127.0.0.1' })).service).toBe('print 2');
    expect((await read()).service).toBe('print 3');
  });

  it('has no parameters of a platform on AWS, even if its outputs are in the checkout', async () => {
    const outputs = projectFile('deploy/aws/outputs.dev.json');
    const content = { 'warren-platform-dev': { mailFrom: 'Dev <dev@example.org>' } };
    // A file that is there already is not replaced.
    await writeFile(outputs, JSON.stringify(content), { flag: 'wx' });
    try {
      const { functions } = await keptManifest(folder, { env: {} });
      const variables = JSON.stringify(Object.values(functions));
      expect(variables).toContain('Warren <warren@example.com>');
      expect(variables).not.toContain('dev@example.org');
    } finally {
      await rm(outputs);
    }
  });

  it('only its owner may read it, because it has values of variables', async () => {
    await read();
    expect((await stat(join(folder, 'manifest.json'))).mode & 0o777).toBe(0o600);
  });

  it('is read again if the file was cut short', async () => {
    await read();
    await writeFile(join(folder, 'manifest.json'), '{"key":"');
    expect((await read()).service).toBe('print 2');
  });
});
