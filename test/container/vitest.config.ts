import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

// It installs all packages anew, twice: too long for each `npm test`.
export default defineConfig({
  test: {
    ...base.test,
    include: ['test/container/*.test.ts'],
    exclude: [],
    hookTimeout: 600_000,
    testTimeout: 120_000,
  },
});
