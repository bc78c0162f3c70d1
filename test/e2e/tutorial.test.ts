import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { PageReader, readSteps, terminalEnv } from '../support/page.ts';
import { type TutorialProject, tutorialProject } from '../support/tutorial-project.ts';
import { openVhost, type TestVhost } from '../support/vhost.ts';

const page = projectFile('docs/tutorial.md');

describe('docs/tutorial.md', () => {
  let project: TutorialProject;
  let vhost: TestVhost;
  let reader: PageReader;

  beforeAll(async () => {
    [project, vhost] = await Promise.all([tutorialProject(), openVhost({})]);
    reader = new PageReader({
      folder: project.folder,
      env: terminalEnv({ AMQP_URL: vhost.url, PATH: project.path }),
      // Runs installed commands as npx does, without the second that npx takes to start and without npm's notices.
      prelude: 'npx() { [ $1 != --no ] || shift; "$@"; }',
      repeated: /^(cat|npx --no warren dead-letters (list|show)) /,
    });
  }, 60_000);
  afterAll(async () => {
    await reader.end();
    await vhost.close();
    await project.remove();
  }, 60_000);

  it('tutorial: each step does what the page shows, and the user writes at most 60 lines', async () => {
    const steps = readSteps(await readFile(page, 'utf8'));
    const written = steps.flatMap((step) => ('text' in step ? step.text.trim().split('\n') : []));
    expect(written.length).toBeLessThanOrEqual(60);
    expect(steps.filter((step) => step.do === 'run')).not.toHaveLength(0);
    // The deployment is the test in test/deploy.
    for (const step of steps) if (step.do !== 'deploy') await reader.follow(step);
  }, 240_000);
});
