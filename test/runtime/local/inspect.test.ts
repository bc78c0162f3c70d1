import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../runtime/local/free-port.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { Debugger } from '../../support/debugger.ts';
import { DevProject } from '../../support/dev-command.ts';
import { stack } from '../../support/stack.ts';

const handler = `interface Event {
  rmqMessagesByQueue: Record<string, { data: string }[]>;
}

interface Context {
  getRemainingTimeInMillis(): number;
}

export async function handler(event: Event, context: Context) {
  const [first] = Object.values(event.rmqMessagesByQueue).flat();
  const text: string = Buffer.from(first?.data ?? '', 'base64').toString();
  if (text === '"wrong"') throw new Error('cannot send it');
  console.log(text, 'left', context.getRemainingTimeInMillis() > 5000);
}
`;
const [printLine, throwLine] = [13, 12];

describe('warren dev --inspect', () => {
  let broker: TestBroker;
  let queue: string;
  let port: number;
  let project: DevProject;
  let run: ReturnType<DevProject['start']>;

  beforeAll(async () => {
    broker = await openBroker();
  });
  beforeEach(async () => {
    [queue, port] = [await broker.queue('inspect'), await freePort()];
    project = await DevProject.make({
      'src/work.ts': handler,
      'serverless.yml': [
        'service: inspect',
        'provider: { name: aws }',
        `custom: { warren: { queues: { ${queue}: {} } } }`,
        'functions:',
        '  other: { handler: src/work.handler, events: [{ httpApi: GET /other }] }',
        '  work:',
        '    handler: src/work.handler',
        '    timeout: 1',
        `    events: [{ rabbitmq: { queue: ${queue}, batchSize: 1 } }]`,
      ].join('\n'),
    });
    const args = ['--inspect', 'work', '--inspect-port', String(port)];
    run = project.start({ AMQP_URL: stack.AMQP_URL }, args);
    await run.printed(/up after/);
  });
  afterEach(async () => {
    run.child.kill('SIGTERM');
    await run.ended;
    await project.remove();
  });
  afterAll(() => broker.close());

  it('a breakpoint in a line of TypeScript pauses the call, which has time for that, and again after a save', async () => {
    await run.printed(new RegExp(`work.*debugger 127\\.0\\.0\\.1:${port}`));
    const first = await Debugger.attach(port);
    await first.breakAt('src/work.ts', printLine);
    await broker.send(queue, 'hello');
    expect(await first.paused()).toBe(`src/work.ts:${printLine}`);
    expect(await first.evaluate('text')).toBe('"hello"');
    await first.resume();
    await run.printed(/"hello" left true[\s\S]*work.*done/);
    first.close();

    await project.write('src/work.ts', handler.replace("'left'", "'still left'"));
    await run.printed(/reloaded.*work/);
    const second = await Debugger.attach(port, first);
    await second.breakAt('src/work.ts', printLine);
    await broker.send(queue, 'again');
    expect(await second.paused()).toBe(`src/work.ts:${printLine}`);
    await second.resume();
    await run.printed(/"again" still left true/);
    second.close();
  }, 180_000);

  it('the stack trace of an error names the line of TypeScript', async () => {
    await broker.send(queue, 'wrong');
    await run.printed(new RegExp(`src/work\\.ts:${throwLine}:`));
  }, 180_000);
});
