import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { openBrowser } from '../../support/browser.ts';
import { DevProject } from '../../support/dev-command.ts';
import { stack } from '../../support/stack.ts';

describe('warren dev --board', () => {
  let broker: TestBroker;
  let project: DevProject;
  beforeAll(async () => {
    broker = await openBroker();
  });
  afterEach(() => project.remove());
  afterAll(() => broker.close());

  it('the board shows a mistake until it is mended, and the line of a call has what the call published', async () => {
    const target = await broker.queue('published');
    const handler = `
      import { Publisher } from 'warren/functions';
      const publisher = new Publisher({ url: process.env['AMQP_URL'] ?? '', name: 'work' });
      const send = () => publisher.publish({ exchange: '', routingKey: '${target}', body: 1 });
      export async function handler() {
        await Promise.all([send(), send()]);
        return { statusCode: 200, body: 'sent' };
      }`;
    project = await DevProject.make({
      'serverless.yml': [
        'service: board',
        'provider: { name: aws }',
        'functions: { work: { handler: work.handler, events: [{ httpApi: GET /send }] } }',
      ].join('\n'),
      'work.ts': handler,
    });
    const run = project.start({ AMQP_URL: stack.AMQP_URL, AMQP_MANAGEMENT_URL: stack.AMQP_MANAGEMENT_URL }, [
      '--board',
      '0',
    ]);
    await run.printed(/up after/);
    const [, board = ''] = /board: (\S+)/.exec(run.text()) ?? [];
    const browser = await openBrowser();
    const page = await browser.newPage();
    await page.goto(board);
    await page.getByRole('navigation', { name: 'Views' }).waitFor({ timeout: 60_000 });
    const problems = async () => (await fetch(`${board}/api/problems`)).json();
    expect(await problems()).toEqual({ problems: [] });
    await project.write('work.ts', 'export const handler = ;');
    await expect
      .poll(problems, { timeout: 60_000 })
      .toEqual({ problems: [expect.stringMatching(/work\.ts:1:\d+: ERROR/)] });
    const alert = page.getByRole('alert').filter({ hasText: 'Not reloaded' });
    await alert.filter({ hasText: 'work.ts:1:' }).waitFor({ timeout: 60_000 });
    await project.write('work.ts', handler);
    await alert.waitFor({ state: 'detached', timeout: 60_000 });
    await browser.close();
    await expect.poll(problems, { timeout: 60_000 }).toEqual({ problems: [] });

    const [url = ''] = /http:\/\/127\.0\.0\.1:\d+\/send/.exec(run.text()) ?? [];
    expect(await (await fetch(url)).text()).toBe('sent');
    await run.printed(new RegExp(`work.*GET /send.*200.*published ${target} \\(2\\)`));
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(0);
  }, 180_000);
});
