import { type ChildProcess, execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DevProject } from '../../support/dev-command.ts';
import { processesWith } from '../../support/processes.ts';
import { stack } from '../../support/stack.ts';
import { isAlive } from '../../support/worker-process.ts';

const service = (rest: string) => `service: dev-test\nprovider: { name: aws }\n${rest}`;

/** A project whose broker is this script; epmd is that of the machine. */
async function withBroker(script: string): Promise<DevProject> {
  const project = await DevProject.make({
    'serverless.yml': service('functions: {}'),
    'rabbitmq-server': `#!/bin/sh\n${script}\n`,
    rabbitmqctl: '#!/bin/sh\necho 4.0.5\n',
  });
  for (const program of ['rabbitmq-server', 'rabbitmqctl']) await chmod(join(project.root, program), 0o755);
  return project;
}

/** The processes that have the project's folder in their environment, as its broker and epmd do (Linux). */
const processesOf = ({ root }: DevProject) => processesWith(`HOME=${root}/`);

/**
 * Interrupts a process again as soon as the first signal has been delivered to it: two at once would be one (Linux). It does not let
 * go of this thread meanwhile, because on a busy machine it might get it back when the second one no longer counts as the first.
 */
function interruptTwice(child: ChildProcess): void {
  child.kill('SIGINT');
  const sigint = 1n << 1n;
  const isPending = () => {
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    const [, mask = '0'] = /^ShdPnd:\s*(\w+)$/m.exec(status) ?? [];
    return (BigInt(`0x${mask}`) & sigint) !== 0n;
  };
  while (isPending());
  child.kill('SIGINT');
}

const lockOf = ({ root }: DevProject) => join(root, '.warren/stack.lock');

/** The programs that the lock names. */
function childrenIn(lock: string): { name: string; pid: number }[] {
  const { children } = JSON.parse(readFileSync(lock, 'utf8')) as {
    children: { name: string; pid: number }[];
  };
  return children;
}

describe('warren dev', () => {
  let project: DevProject;

  afterEach(() => project.remove());

  it('a mistake in serverless.yml at the start is reported, and the command ends with its spare process', async () => {
    project = await DevProject.make({ 'serverless.yml': service('functions: 7') });
    const run = project.start({ AMQP_URL: stack.AMQP_URL });
    expect(await run.ended).toBe(1);
    expect(run.text()).toMatch(/functions: expected/);
  }, 90_000);

  it('a project without esbuild ends the command with the remedy', async () => {
    const files = {
      'serverless.yml': service('functions: { work: { handler: work.handler } }'),
      'work.ts': '',
    };
    project = await DevProject.make(files, tmpdir());
    const run = project.start({ AMQP_URL: stack.AMQP_URL });
    expect(await run.ended).toBe(1);
    expect(run.text()).toMatch(/warren: esbuild: expected it to be installed here/);
  }, 90_000);

  it('a data folder that cannot be written is reported without advice that the command does not have', async () => {
    project = await DevProject.make({ 'serverless.yml': service('functions: {}'), '.warren': 'a file' });
    const run = project.start({ AMQP_URL: stack.AMQP_URL });
    expect(await run.ended).toBe(1);
    expect(run.text()).toMatch(/\.warren can't be written \(EEXIST\): change its owner or its rights$/m);
  }, 90_000);

  it('an interrupt that npm forwards beside the terminal is one, and a request in flight is answered', async () => {
    project = await DevProject.make({
      'serverless.yml': service(
        'functions: { work: { handler: work.handler, events: [{ httpApi: GET / }] } }',
      ),
      'work.ts': `
        import { existsSync, writeFileSync } from 'node:fs';
        export async function handler() {
          writeFileSync('begun', '');
          while (!existsSync('until')) await new Promise((resolve) => setTimeout(resolve, 20));
          return { statusCode: 200, body: 'answered' };
        }`,
    });
    const run = project.start({ AMQP_URL: stack.AMQP_URL, LOG_LEVEL: 'info' });
    await run.printed(/up after/);
    const [url = ''] = /http:\/\/127\.0\.0\.1:\d+\//.exec(run.text()) ?? [];
    const answer = fetch(url).then((response) => response.text(), String);
    await expect.poll(() => existsSync(join(project.root, 'begun')), { timeout: 60_000 }).toBe(true);
    // Both come at once, however busy the machine is: a second one that comes later ends the command.
    interruptTwice(run.child);
    await run.printed(/draining/);
    await project.write('until', '');
    expect(await answer).toBe('answered');
    expect(await run.ended).toBe(0);
  }, 120_000);

  it('an interrupt at the terminal does not reach the processes of functions', async () => {
    project = await DevProject.make({
      'serverless.yml': service(
        'functions: { work: { handler: work.handler, events: [{ httpApi: GET / }] } }',
      ),
      'work.ts': 'export const handler = async () => ({ statusCode: 200, body: String(process.pid) });',
    });
    const run = project.start({ AMQP_URL: stack.AMQP_URL });
    await run.printed(/up after/);
    const [url = ''] = /http:\/\/127\.0\.0\.1:\d+\//.exec(run.text()) ?? [];
    const pid = await (await fetch(url)).text();
    const group = execFileSync('ps', ['-o', 'pgid=', '-p', pid], { encoding: 'utf8' });
    expect(group.trim()).toBe(pid);
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(0);
    expect(isAlive(Number(pid))).toBe(false);
  }, 120_000);

  it('a private broker that ends while it starts is reported, and its epmd and the lock are gone', async () => {
    project = await withBroker('exit 3');
    const run = project.start({ AMQP_URL: '', WARREN_RABBITMQ: join(project.root, 'rabbitmq-server') });
    expect(await run.ended).toBe(1);
    expect(run.text()).toMatch(/RabbitMQ ended while starting \(exit code 3\)/);
    expect(existsSync(lockOf(project))).toBe(false);
    expect(processesOf(project)).toEqual([]);
  }, 90_000);

  it('an interrupt while the private broker starts ends the command, the broker, its epmd and the lock', async () => {
    project = await withBroker('exec sleep 600');
    const run = project.start({ AMQP_URL: '', WARREN_RABBITMQ: join(project.root, 'rabbitmq-server') });
    const children = () => (existsSync(lockOf(project)) ? childrenIn(lockOf(project)) : []);
    await expect
      .poll(() => children().map(({ name }) => name), { timeout: 60_000 })
      .toEqual(['epmd', 'rabbitmq']);
    const pids = children().map(({ pid }) => pid);
    expect(pids.filter(isAlive)).toEqual(pids);
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(existsSync(lockOf(project))).toBe(false);
  }, 120_000);
});
