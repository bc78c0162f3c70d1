import { afterEach, describe, expect, it } from 'vitest';
import { DevProject } from '../../support/dev-command.ts';
import { stack } from '../../support/stack.ts';

const service = (rest: string) => `service: dev-test\nprovider: { name: aws }\n${rest}`;

describe('warren dev', () => {
  let project: DevProject;

  afterEach(() => project.remove());

  it('a mistake in serverless.yml at the start is reported, and the command ends with its spare process', async () => {
    project = await DevProject.make({ 'serverless.yml': service('functions: 7') });
    const run = project.start({ AMQP_URL: stack.AMQP_URL });
    expect(await run.ended).toBe(1);
    expect(run.text()).toMatch(/functions: expected/);
  }, 20_000);
});
