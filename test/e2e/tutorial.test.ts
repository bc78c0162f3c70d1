import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { type Packed, packRuntime } from '../support/packed.ts';
import { PageReader, readSteps, terminalEnv } from '../support/page.ts';
import { openVhost, type TestVhost } from '../support/vhost.ts';

const run = promisify(execFile);
const page = projectFile('docs/tutorial.md');

/** In a folder within this repository's packages, which stand in for `npm install`. */
describe('docs/tutorial.md', () => {
  let packed: Packed;
  let root: string;
  let vhost: TestVhost;
  let reader: PageReader;

  beforeAll(async () => {
    packed = await packRuntime();
    root = await mkdtemp(join(projectFile('node_modules'), '.tutorial-test-'));
    const content = join(root, 'node_modules/warren');
    await mkdir(content, { recursive: true });
    await run('tar', ['-xzf', packed.archive, '-C', content, '--strip-components', '1']);
    const program = join(content, 'cli/warren.cjs');
    await run(process.execPath, [program, 'init', 'treats', '--package', packed.archive], { cwd: root });
    const bin = join(root, 'node_modules/.bin');
    await mkdir(bin);
    await symlink('../warren/cli/warren.cjs', join(bin, 'warren'));
    vhost = await openVhost({});
    const path = `${bin}:${projectFile('node_modules/.bin')}:${process.env['PATH']}`;
    reader = new PageReader({
      folder: join(root, 'treats'),
      env: terminalEnv({ AMQP_URL: vhost.url, PATH: path }),
      // Runs installed commands as npx does, without the second that npx takes to start and without npm's notices.
      prelude: 'npx() { [ $1 != --no ] || shift; "$@"; }',
      repeated: /^(cat|npx --no warren dead-letters (list|show)) /,
    });
  }, 60_000);
  afterAll(async () => {
    await reader.end();
    await vhost.close();
    await packed.remove();
    await rm(root, { recursive: true, force: true });
  }, 60_000);

  it('tutorial: each step does what the page shows, and the user writes at most 60 lines', async () => {
    const steps = readSteps(await readFile(page, 'utf8'));
    const written = steps.flatMap((step) => ('text' in step ? step.text.trim().split('\n') : []));
    expect(written.length).toBeLessThanOrEqual(60);
    expect(steps.filter((step) => step.do === 'run')).not.toHaveLength(0);
    for (const step of steps) await reader.follow(step);
  }, 240_000);
});
