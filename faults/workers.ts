import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { type StackChild, startChild } from '../cli/stack/process.ts';
import { projectFile } from '../cli/stack/project.ts';
import type { Parts } from './parts.ts';

/** The processes that the functions run in. */
export interface Workers {
  /** Kills one as the kernel does when memory is short, and starts another in its place. */
  kill(which: number): Promise<void>;
  /** Asks one to end and waits for it, and starts another. */
  replace(which: number): Promise<void>;
  /** Stops them all in their tracks, or lets them go on. */
  halt(): void;
  resume(): void;
  /** Asks all to end. @returns the ways they did. */
  stop(): Promise<string[]>;
}

const drainSeconds = 30;

/**
 * Starts so many workers, each of which serves all functions.
 *
 * @param preload a module that each of them loads first.
 */
export async function startWorkers(
  { folder, manifestFile, env }: Parts,
  count: number,
  preload?: string,
): Promise<Workers> {
  let started = 0;
  const start = async (): Promise<StackChild> => {
    started += 1;
    const name = `worker-${started}`;
    let up: () => void = () => undefined;
    const isUp = new Promise<void>((resolve) => {
      up = resolve;
    });
    const options = ['--no-http', '--manifest', manifestFile, '--drain', String(drainSeconds)];
    const child = startChild({
      ...{ name, command: process.execPath, cwd: folder },
      args: [...(preload ? ['--import', preload] : []), projectFile('cli/warren.mjs'), 'worker', ...options],
      env: { ...process.env, ...env, LOG_LEVEL: 'info' },
      logFile: join(folder, `${name}.log`),
      graceMs: (drainSeconds + 15) * 1000,
      onLine(line) {
        if (line.includes('"worker is up"')) up();
        if (!/"level":"(info|warn)"/.test(line)) appendFileSync(join(folder, 'errors.log'), `${line}\n`);
      },
    });
    await Promise.race([isUp, child.exited]);
    return child;
  };
  const running = await Promise.all(Array.from({ length: count }, start));
  const signalAll = (signal: NodeJS.Signals) => {
    for (const { pid } of running) process.kill(pid, signal);
  };
  const at = (which: number): StackChild => running[which % count] as StackChild;
  const replaceBy = async (which: number, end: (child: StackChild) => Promise<unknown>) => {
    await end(at(which));
    running[which % count] = await start();
  };
  return {
    kill: (which) =>
      replaceBy(which, async ({ pid, exited }) => {
        process.kill(pid, 'SIGKILL');
        await exited;
      }),
    replace: (which) => replaceBy(which, (child) => child.stop()),
    halt: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    async stop() {
      await Promise.all(running.map((child) => child.stop()));
      return running.map((child) => child.ended() ?? 'still running');
    },
  };
}
