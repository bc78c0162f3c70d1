import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { TestProject } from 'vitest/node';
import { projectFile } from '../../dev/stack/project.ts';
import { startStack } from '../../dev/stack/stack.ts';
import type { StackEnv } from '../../dev/stack/stack-env.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    stack: StackEnv;
  }
}

/**
 * Brings the four parts up for a run of the tests, with ports and data of its own, so that it disturbs neither
 * `npm start` nor another run; never on the user's own parts, which the variables of the environment name.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = projectFile(`.data/test-${process.pid}`);
  const stack = await startStack({
    dataDir,
    ports: 'free',
    functions: undefined,
    given: { WARREN_STORAGE: process.env['WARREN_STORAGE'] || 's3rver' },
    report: (part, text) => console.log(`${part.padEnd(9)} ${text}`),
  });
  project.provide('stack', stack.env);
  // Vitest removes its copies of modules while its last workers still write some.
  process.once('exit', () => rmSync(project.tmpDir, { recursive: true, force: true }));
  return async () => {
    await stack.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}
