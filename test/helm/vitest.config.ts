import { defineConfig } from 'vitest/config';
import { projectDir } from '../../dev/stack/project.ts';

// It fetches Helm: too much for each `npm test`.
export default defineConfig({
  root: projectDir,
  test: {
    include: ['test/helm/**/*.test.ts'],
    setupFiles: ['test/support/plain-output.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 300_000,
  },
});
