import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { StackError } from './stack-error.ts';

/** A program to start beside us. */
export interface ChildSettings {
  /** Shown to people. */
  name: string;
  command: string;
  args: readonly string[];
  /** Goes before the command, to run it as another user. */
  prefix?: readonly string[];
  /** The whole environment, not additions to ours. */
  env: Record<string, string | undefined>;
  cwd?: string;
  /** Takes what it prints; begun anew at each start, so that it does not grow for ever. */
  logFile: string;
  /** Gets each line it prints as well. */
  onLine?: (line: string) => void;
  /** Signal that ends it, default SIGTERM. */
  stopSignal?: 'SIGTERM' | 'SIGINT';
  /** Milliseconds until it is ended the hard way, default 15000. */
  graceMs?: number;
}

export interface StackChild {
  readonly name: string;
  readonly pid: number;
  /** Resolves when it has ended, with the way it did. */
  readonly exited: Promise<string>;
  /** The way it ended, undefined while it runs. */
  ended(): string | undefined;
  /** Asks it to end, and waits; after its time it is made to. */
  stop(): Promise<void>;
}

/** Process groups that were started and not stopped yet. */
const running = new Set<number>();

/** Sends a signal to all that was started and not stopped, with everything they have started. */
export function signalChildren(signal: NodeJS.Signals): void {
  for (const group of running) signalTo(-group, signal);
}

/**
 * Starts a program in a process group of its own, so that a Ctrl-C in the terminal reaches only us and we decide what
 * ends when. On Linux the kernel ends it if we are killed.
 *
 * @throws StackError when it can't be started.
 */
export function startChild(settings: ChildSettings): StackChild {
  const { name, prefix = [], stopSignal = 'SIGTERM', graceMs = 15_000, onLine } = settings;
  // The order matters: a change of user makes the kernel forget what `dieWithUs` asked it for.
  const [command, ...args] = [...prefix, ...dieWithUs(stopSignal), settings.command, ...settings.args];
  const log = openSync(settings.logFile, 'w', 0o600);
  const child = spawn(command as string, args, {
    cwd: settings.cwd,
    env: settings.env,
    detached: true,
    stdio: ['ignore', onLine ? 'pipe' : log, onLine ? 'pipe' : log],
  });
  let ended: string | undefined;
  const exited = new Promise<string>((resolve) => {
    const end = (how: string) => {
      ended = how;
      closeSync(log);
      resolve(how);
    };
    child.once('error', (error) => end(error.message));
    // Not 'exit': a line may still be on its way.
    child.once('close', (code, signal) => ended ?? end(signal ?? `exit code ${code}`));
  });
  if (child.pid === undefined) throw new StackError(`${name}: ${settings.command} can't be started`);
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', (line) => {
      writeSync(log, `${line}\n`);
      onLine?.(line);
    });
  }
  const { pid } = child;
  running.add(pid);
  const stop = async () => {
    if (ended === undefined) signalTo(pid, stopSignal);
    const inTime = await Promise.race([exited, pause(graceMs, undefined, { ref: false })]);
    // Also after a proper end: what it may have left behind belongs to the same group.
    signalTo(-pid, 'SIGKILL');
    running.delete(pid);
    if (inTime === undefined) await exited;
  };
  let stopping: Promise<void> | undefined;
  return {
    name,
    pid,
    exited,
    ended: () => ended,
    stop() {
      // Once, because another program may have its id later.
      stopping ??= stop();
      return stopping;
    },
  };
}

/**
 * Distinguishes a process from a later process with the same id.
 *
 * @returns a mark that stays the same for the life of the process, undefined when there is no such process.
 */
export function processMark(pid: number): string | undefined {
  if (process.platform !== 'linux') {
    const mark = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
    return mark.stdout?.trim() || undefined;
  }
  try {
    // proc(5): what follows the name in brackets are fields 3 (state) and on; 22 is the start time.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Sends a signal to a process, or to a group when `pid` is negative; one that is gone already is fine. */
export function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

let hasSetpriv: boolean | undefined;

function dieWithUs(signal: string): string[] {
  hasSetpriv ??= process.platform === 'linux' && spawnSync('setpriv', ['--version']).status === 0;
  return hasSetpriv ? ['setpriv', '--pdeathsig', signal.replace('SIG', ''), '--'] : [];
}
