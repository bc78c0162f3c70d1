import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { freePort } from '../../../runtime/local/free-port.ts';

it('--inspect: a process in which an editor has opened a debugger keeps that one', async () => {
  const code = `
    import inspector from 'node:inspector';
    import { openDebugger } from '${projectFile('runtime/local/debugger.ts')}';
    inspector.open(0, '127.0.0.1');
    const before = inspector.url();
    await openDebugger(${await freePort()});
    console.log(inspector.url() === before);`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', code];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: projectFile('.') });
  expect(stdout).toBe('true\n');
}, 60_000);
