import { appendFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type StackChild, signalTo, startChild } from '../../runtime/local/process.ts';
import { projectFile } from '../stack/project.ts';
import type { Parts } from './parts.ts';
import { drainSeconds, type Program, programsOf } from './programs.ts';

/** The programs that the functions run in. */
export interface Workers {
  /** Those that run at a time. */
  readonly programs: readonly Program[];
  /** Kills one as the kernel does when memory is short, and starts another in its place. */
  kill(which: number): Promise<void>;
  /** Asks one to end and waits for it, and starts another. */
  replace(which: number): Promise<void>;
  /** How many ended by themselves, and were started again as Kubernetes does. */
  crashes(): number;
  /** Suspends all but the server for HTTP, or lets them go on. */
  halt(): void;
  resume(): void;
  /** Sets the wall clock of one with its processes forward or back by so many milliseconds; 0 sets it right. */
  setClock(which: number, byMs: number): Promise<void>;
  /** Asks all to end. @returns the ways in which each did that was ever asked to. */
  stop(): Promise<string[]>;
}

/** A small heap, so that a worker runs out of memory before the machine does; and a clock that can jump. */
const nodeOptions = `--max-old-space-size=400 --import ${projectFile('dev/faults/clock.mjs')}`;

/**
 * Starts all programs.
 *
 * @param options as `programsOf`; `preload` is a module that each of them loads first.
 */
export async function startWorkers(
  parts: Parts,
  { preload, ...which }: { workers: number; offline: boolean; preload?: string | undefined },
): Promise<Workers> {
  const { folder, env } = parts;
  const programs = programsOf(parts, which);
  const endings: string[] = [];
  let started = 0;
  const start = async (program: Program): Promise<StackChild> => {
    started += 1;
    const name = `${program.name}-${started}`;
    let up: () => void = () => undefined;
    const isUp = new Promise<void>((resolve) => {
      up = resolve;
    });
    const child = startChild({
      name,
      command: process.execPath,
      cwd: folder,
      args: [...(preload ? ['--import', preload] : []), ...program.args],
      env: {
        ...process.env,
        ...env,
        FAULTS_CLOCK: join(folder, 'clock'),
        LOG_LEVEL: 'info',
        // A mail for each picture, to be counted.
        PICTURE_MAILS_INTERVAL: '0',
        PICTURE_MAILS_PER_DAY: '100000',
        RATE_LIMIT_UPLOADS: 'off',
        RATE_LIMIT_ORDERS: 'off',
        NODE_OPTIONS: nodeOptions,
      },
      logFile: join(folder, `${name}.log`),
      graceMs: (drainSeconds + 15) * 1000,
      onLine(line) {
        if (program.up.test(line)) up();
        if (!/"level":"(info|warn)"/.test(line)) appendFileSync(join(folder, 'errors.log'), `${line}\n`);
      },
    });
    await Promise.race([isUp, child.exited]);
    return child;
  };
  const running = await Promise.all(programs.map(start));
  /** Processes that the harness itself ends. */
  const expected = new Set<StackChild>();
  const restarts: Promise<void>[] = [];
  let crashes = 0;
  let stopping = false;
  const supervise = async (place: number) => {
    for (;;) {
      const child = running[place] as StackChild;
      await child.exited;
      if (stopping) return;
      if (!expected.has(child)) {
        crashes += 1;
        restarts[place] = start(programs[place] as Program).then((again) => {
          running[place] = again;
        });
        await restarts[place];
        continue;
      }
      while (running[place] === child && !stopping) await pause(50);
    }
  };
  for (const place of running.keys()) void supervise(place);
  const signalConsumers = (signal: NodeJS.Signals) => {
    for (const [place, { pid }] of running.entries()) {
      if (programs[place]?.name !== 'serve') signalTo(-pid, signal);
    }
  };
  const replaceBy = async (which: number, end: (child: StackChild) => Promise<unknown>) => {
    const place = which % programs.length;
    await restarts[place];
    const child = running[place] as StackChild;
    expected.add(child);
    await end(child);
    running[place] = await start(programs[place] as Program);
  };
  const stopOne = async (child: StackChild) => {
    endings.push(await ask(child));
  };
  let stopped: Promise<unknown> | undefined;
  return {
    programs,
    kill: (which) =>
      replaceBy(which, async ({ pid, exited }) => {
        signalTo(pid, 'SIGKILL');
        await exited;
      }),
    replace: (which) => replaceBy(which, stopOne),
    halt: () => signalConsumers('SIGSTOP'),
    resume: () => signalConsumers('SIGCONT'),
    async setClock(which, byMs) {
      const { pid } = running[which] as StackChild;
      await writeFile(join(folder, 'clock'), String(byMs));
      signalTo(-pid, 'SIGUSR2');
    },
    crashes: () => crashes,
    async stop() {
      stopping = true;
      await Promise.all(restarts);
      stopped ??= Promise.all(running.map(stopOne));
      await stopped;
      return endings;
    },
  };
}

/** Asks a process to end. @returns how it did, and whether it left any of its own behind. */
async function ask(child: StackChild): Promise<string> {
  if (child.ended() === undefined) process.kill(child.pid, 'SIGTERM');
  const time = pause((drainSeconds + 15) * 1000, 'had to be killed', { ref: false });
  const how = await Promise.race([child.exited, time]);
  // The compiler that takes the types out of our sources ends a moment after who started it.
  const until = performance.now() + 5000;
  while (isThere(-child.pid) && performance.now() < until) await pause(50);
  const leftOne = child.ended() !== undefined && isThere(-child.pid);
  await child.stop();
  return leftOne ? `${how}, and left a process behind` : how;
}

function isThere(group: number): boolean {
  try {
    return process.kill(group, 0);
  } catch {
    return false;
  }
}
