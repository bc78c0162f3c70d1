import { existsSync } from 'node:fs';
import { rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bundleFunctions } from '../../../dev/stack/bundles.ts';
import { projectFile } from '../../../dev/stack/project.ts';

describe('the bundles of npm start', () => {
  const folder = `.esbuild/bundles-test-${process.pid}`;
  afterAll(() => rm(projectFile(folder), { recursive: true, force: true }));

  it('are made again only if a file that they are made of has changed', async () => {
    const source = projectFile('functions/operations/health.ts');
    expect(await bundleFunctions(folder)).toBe(true);
    expect(existsSync(projectFile(join(folder, 'functions/operations/health.mjs')))).toBe(true);
    expect(await bundleFunctions(folder)).toBe(false);
    const { atime, mtime } = await stat(source);
    await utimes(source, atime, new Date(mtime.getTime() - 1000));
    try {
      expect(await bundleFunctions(folder)).toBe(true);
    } finally {
      await utimes(source, atime, mtime);
    }
  }, 240_000);
});
