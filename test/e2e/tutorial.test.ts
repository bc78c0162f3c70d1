import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectDir, projectFile } from '../../dev/stack/project.ts';
import { writeStackEnv } from '../../dev/stack/stack-env.ts';
import { openBroker } from '../support/broker.ts';
import { PageReader, readSteps, terminalEnv } from '../support/page.ts';
import { stack } from '../support/stack.ts';

/** Runs installed commands as npx does, without the second that npx takes to start and without npm's notices. */
const npx =
  'npx() { [ $1 != --no ] || shift; name=$1; shift; if [ $name = warren ]; then node dev/warren.mjs "$@"; else node_modules/.bin/$name "$@"; fi; }';

describe('docs/tutorial.md', () => {
  let folder: string;
  let reader: PageReader;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-tutorial-'));
    const left = new Set(['node_modules', '.git', '.data', '.esbuild', '.serverless', 'dist']);
    const parts = {
      recursive: true,
      filter: (path: string) => !left.has(basename(path)) || path.includes('/test/'),
    };
    await cp(projectDir, folder, parts);
    await symlink(projectFile('node_modules'), join(folder, 'node_modules'));
    // `npm start` writes this file; the parts of this test run stand in for its parts.
    await writeStackEnv(join(folder, '.data'), stack);
    reader = new PageReader({
      folder,
      env: terminalEnv({ MAILBOX_URL: stack.MAILBOX_URL }),
      prelude: npx,
      repeated: /^(curl|npx (--no )?warren dead-letters (list|show)) /,
    });
  });
  afterAll(async () => {
    await reader.end();
    const broker = await openBroker();
    for (const queue of ['dog-treat', 'dog-treat.retry.1s', 'dog-treat.retry.2s']) {
      await broker.channel.deleteQueue(queue);
    }
    await broker.close();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  it('tutorial: each step does what the page shows', async () => {
    const steps = readSteps(await readFile(projectFile('docs/tutorial.md'), 'utf8'));
    expect(steps.filter((step) => step.do === 'run')).not.toHaveLength(0);
    for (const step of steps) await reader.follow(step);
  }, 240_000);

  it('tutorial: the project passes its own checks afterwards', async () => {
    const checks = ['biome check functions/bookings test/functions/bookings', 'tsc -p .'];
    for (const check of checks) {
      const { child, ended, printed } = reader.start(`npx ${check}`);
      await ended;
      expect([child.exitCode, printed()]).toEqual([0, expect.anything()]);
    }
  }, 120_000);
});
