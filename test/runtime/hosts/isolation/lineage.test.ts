import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { projectFile } from '../../../../dev/stack/project.ts';
import type { TestBroker } from '../../../support/broker.ts';
import type { WorkerFolder } from '../../../support/worker-process.ts';
import { testWorkers } from '../../../support/workers.ts';

const run = promisify(execFile);

/**
 * Runs statements in a process of their own, because a loop that never waits would block its event loop for ever. They know a
 * folder with a function.
 */
async function inOtherProcess(statements: string): Promise<string> {
  const support = projectFile('test/support/function-processes.ts');
  const code = `
    import { existsSync, readFileSync } from 'node:fs';
    import { setTimeout as pause } from 'node:timers/promises';
    import { eventOf, FunctionFolder } from ${JSON.stringify(support)};
    const plain = 'export const handler = async () => undefined;';
    const folder = await FunctionFolder.make(plain);
    const until = async (name) => { while (!existsSync(folder.path + '/' + name)) await pause(10); };
    ${statements}
    await folder.remove();
    process.exit(0);
  `;
  const folder = await mkdtemp(join(projectFile('node_modules'), '.lineage-test-'));
  try {
    const file = join(folder, 'statements.mjs');
    await writeFile(file, code);
    const options = { cwd: projectFile('.'), timeout: 100_000, killSignal: 'SIGKILL' } as const;
    return (await run(process.execPath, ['--import', 'tsx', file], options)).stdout.trim();
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('the processes of a function that follow one another', () => {
  it('after a stop, a call fails at once', async () => {
    const code = await inOtherProcess(`
      const { processes, invoke } = await folder.start();
      await processes.stop();
      await invoke(eventOf(1)).catch(({ code }) => console.log(code));
    `);
    expect(code).toBe('ERR_HOST_UNAVAILABLE');
  }, 120_000);

  it('when the process of a later reload ends before that of an earlier one is ready, the earlier one gets the calls', async () => {
    const result = await inOtherProcess(`
      let ended = 0;
      const running = (name, change) => { if (change < 0) ended += 1; };
      const { processes, invoke } = await folder.start({}, { observer: { running } });
      const file = (name) => "new URL('" + name + "', import.meta.url)";
      const fs = "import { existsSync, writeFileSync } from 'node:fs';";
      await folder.write(
        fs + 'writeFileSync(' + file('loading') + ', "");' +
        'while (!existsSync(' + file('released') + ')) await new Promise((resolve) => setTimeout(resolve, 10));' +
        "export const handler = async () => ({ batchItemFailures: ['earlier'] });",
      );
      const earlier = processes.reload();
      await until('loading');
      await folder.write(fs + 'writeFileSync(' + file('later') + ', String(process.pid));' + plain);
      await processes.reload();
      process.kill(Number(readFileSync(folder.path + '/later', 'utf8')), 'SIGKILL');
      // The first process of all ends as well.
      while (ended < 2) await pause(10);
      await folder.mark('released');
      await earlier;
      console.log(JSON.stringify(await invoke(eventOf(1))));
    `);
    expect(result).toBe('{"batchItemFailures":["earlier"]}');
  }, 120_000);
});

describe('a process that cannot be started', () => {
  let broker: TestBroker;
  let folder: WorkerFolder;
  const { done } = testWorkers((made, at) => {
    broker = made;
    folder = at;
  });

  it('for want of file descriptors is reported and started again later, and the worker goes on', async () => {
    const queue = await broker.queue();
    await folder.manifest({ work: { events: [{ rabbitmq: { queue } }] } });
    const { child, lines } = await folder.start();
    const limit = (descriptors: number) =>
      run('prlimit', ['--pid', String(child.pid), `--nofile=${descriptors}:`]);
    await broker.send(queue, { n: 1 });
    await done(1);
    await limit(3);
    process.kill(folder.notes()[0]?.pid ?? 0, 'SIGKILL');
    const refused = () => lines.filter(({ err }) => err?.message.includes('EMFILE')).length;
    await expect.poll(refused, { timeout: 20_000 }).toBeGreaterThan(1);
    expect(child.exitCode).toBeNull();
    await limit(1024);
    await broker.send(queue, { n: 2 });
    await done(2);
    expect(folder.steps(2)).toEqual(['begin', 'end']);
  }, 120_000);
});
