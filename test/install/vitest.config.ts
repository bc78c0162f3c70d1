import { defineConfig } from 'vitest/config';
import { projectDir } from '../../dev/stack/project.ts';

// It builds Kubernetes with Go: too much for each `npm test`.
export default defineConfig({
  root: projectDir,
  test: {
    include: ['test/install/**/*.test.ts'],
    setupFiles: ['test/support/plain-output.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 300_000,
    // The first build of all programs takes this long on two cores.
    hookTimeout: 3_600_000,
  },
});
