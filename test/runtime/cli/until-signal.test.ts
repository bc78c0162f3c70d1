import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';

/** A command that is too busy to read a signal for 1.5 s after the first one, and needs 2.5 s to stop. */
const command = `
  import { writeSync } from 'node:fs';
  import { untilSignal } from ${JSON.stringify(projectFile('runtime/cli/hosting.ts'))};
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  process.on('removeListener', (name) => writeSync(1, 'removed ' + String(name)));
  const stop = untilSignal(log, 30, () => {
    writeSync(1, 'busy');
    const end = Date.now() + 1500;
    while (Date.now() < end);
    writeSync(1, 'free');
  });
  setInterval(() => undefined, 1000);
  writeSync(1, 'ready');
  await stop({ stop: () => new Promise((done) => setTimeout(done, 2500, true)) }, '');
`;

describe('a command that a signal ends', () => {
  let child: ChildProcess;

  afterEach(() => void child.kill('SIGKILL'));

  const start = () => {
    child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', command], {
      cwd: projectFile('.'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    let all = '';
    child.stdout?.on('data', (chunk) => {
      all += String(chunk);
    });
    const text = () => all;
    const printed = (part: string) => expect.poll(text, { timeout: 30_000, interval: 5 }).toContain(part);
    return { ended, printed, text };
  };

  it('signal: an interrupt that npm forwards is no second one, even if the command is too busy to read it', async () => {
    const { ended, printed, text } = start();
    await printed('ready');
    child.kill('SIGINT');
    await printed('busy');
    child.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    // While a signal has no listener, it kills the process, however short that is.
    expect(text()).not.toMatch(/removed SIG/);
  });

  it('signal: a second interrupt later ends the command at once', async () => {
    const { ended, printed } = start();
    await printed('ready');
    child.kill('SIGINT');
    await printed('free');
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGINT');
    expect(await ended).toEqual([1, null]);
  });
});
