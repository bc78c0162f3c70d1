import { defineConfig } from 'vitest/config';
import { projectDir } from '../../dev/stack/project.ts';
import base from '../../vitest.config.ts';

// The storage of compose.yaml, which has to be on the PATH.
process.env['WARREN_STORAGE'] = 'versitygw';

export default defineConfig({
  root: projectDir,
  test: {
    ...base.test,
    include: [
      'test/storage/*.test.ts',
      // Those whose messages, pages or functions reach it.
      'test/e2e/{field,hosts,large-upload,least-rights,main-job,page}.test.ts',
      'test/shared/storage/*.test.ts',
      'test/functions/pictures/*.test.ts',
    ],
    exclude: [],
  },
});
