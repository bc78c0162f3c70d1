import { defineConfig } from 'vitest/config';
import { retried } from './test/support/retried.ts';

// The SDK's advice to move to another Node is irrelevant to a test.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They install everything anew, or need Python or Go, and have configurations of their own: npm run test:container, test:deploy, test:install.
    exclude: [
      'node_modules/**',
      ...['container', 'deploy', 'helm', 'install', 'storage'].map((name) => `test/${name}/**`),
    ],
    setupFiles: ['test/support/plain-output.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    // Tests wait for real parts, on machines with two cores too.
    maxWorkers: 3,
    // Set by CI, whose machines do other work at the same time. The report lists each test that passed at its second run.
    retry: Number(process.env['WARREN_TEST_RETRIES'] ?? 0),
    reporters: ['default', retried],
    testTimeout: 60_000,
    hookTimeout: 90_000,
    teardownTimeout: 60_000,
  },
});
