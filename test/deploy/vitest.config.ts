import { defineConfig } from 'vitest/config';
import { projectDir } from '../../dev/stack/project.ts';

// The SDK's advice to move to another Node is irrelevant to a test.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

export default defineConfig({
  root: projectDir,
  test: {
    include: ['test/deploy/**/*.test.ts'],
    setupFiles: ['test/support/plain-output.ts'],
    globalSetup: ['test/support/deploy/global-setup.ts'],
    pool: 'forks',
    // One after the other: they measure how long things take, and the CLI has one folder for what it makes.
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 300_000,
    teardownTimeout: 60_000,
  },
});
