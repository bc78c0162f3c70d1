import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../../dev/stack/project.ts';

const read = async (path: string) =>
  parse(await readFile(projectFile(`runtime/template/common/${path}`), 'utf8')) as Record<string, unknown>;

it('template: the workflow of a new project tests on the Node version that its functions run on', async () => {
  const { provider } = (await read('serverless.yml')) as { provider: { runtime: string } };
  const { jobs } = (await read('github/ci.yml')) as {
    jobs: { test: { steps: { with?: { 'node-version'?: number } }[] } };
  };
  const [version, ...others] = jobs.test.steps.flatMap((step) => step.with?.['node-version'] ?? []);
  expect(others).toEqual([]);
  expect(`nodejs${version}.x`).toBe(provider.runtime);
});
