import { afterEach, describe, expect, it } from 'vitest';
import { DevProject } from '../../support/dev-command.ts';
import { stack } from '../../support/stack.ts';

/** A function whose text is a number if it is wrong. */
const code = (text: string) => `
  const text: string = ${text};
  export const handler = async () => ({ statusCode: 200, body: String(text) });`;

describe('warren dev', () => {
  let project: DevProject;
  afterEach(() => project.remove());

  it('a type error is printed once while the code runs, and again when it is mended; a syntax error is not a type error', async () => {
    project = await DevProject.make({
      'serverless.yml': [
        'service: types',
        'provider: { name: aws }',
        'functions: { work: { handler: work.handler, events: [{ httpApi: GET / }] } }',
      ].join('\n'),
      'tsconfig.json': JSON.stringify({
        compilerOptions: { strict: true, noEmit: true, types: [], skipLibCheck: true },
        include: ['work.ts'],
      }),
      'work.ts': code('"right"'),
    });
    const run = project.start({ AMQP_URL: stack.AMQP_URL });
    await run.printed(/up after/);
    const [url = ''] = /http:\/\/127\.0\.0\.1:\d+\//.exec(run.text()) ?? [];
    const answer = async () => (await fetch(url)).text();
    await project.write('work.ts', code('7'));
    await run.printed(/wrong types.*work\.ts\(2,9\): error TS2322/);
    await expect.poll(answer, { timeout: 60_000 }).toBe('7');

    await project.write('work.ts', code(';'));
    await run.printed(/not reloaded[\s\S]*work\.ts:2:/);
    await project.write('work.ts', code('"mended"'));
    await run.printed(/types mended/);
    await expect.poll(answer, { timeout: 60_000 }).toBe('mended');
    expect(run.text().match(/wrong types/g)).toHaveLength(1);
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(0);
  }, 180_000);
});
