import { type ChildProcess, fork } from 'node:child_process';
import { Socket } from 'node:net';

/** How to start the process of a function. */
export interface ProcessProgram {
  /** A module that calls `runFunctionProcess`, and its arguments. */
  file: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Limit of the JavaScript heap in MiB; default Node's own. */
  memoryMb?: number | undefined;
  /** Whether it has a process group of its own, which an interrupt at the terminal does not reach; default false. */
  detached?: boolean | undefined;
  /** Provides such a process in another way, default `startProgram`. */
  fork?: ((program: ProcessProgram) => ChildProcess) | undefined;
}

/**
 * MiB of each half of the young generation. V8's own 16 let a process that takes batches of 100 messages grow to 55 MB instead of
 * 31, and save no CPU time (measured).
 */
const semiSpaceMb = 4;

/** Stream that connects both processes for calls and their results. */
export const callsFd = 4;

/** The stream for the calls of a process. One that could not start, for want of file descriptors, has none and emits `error`. */
export function callsOf(child: Pick<ChildProcess, 'stdio'>): Socket {
  // The types do not know a process without streams.
  const streams = child.stdio as Partial<ChildProcess['stdio']> | undefined;
  return (streams?.[callsFd] as Socket | undefined) ?? new Socket();
}

/**
 * The options of Node itself that another process takes over. A debugger's port is taken by this process; and code on the command
 * line would run again in place of the program, and start another process without an end.
 */
export function optionsOfNode(execArgv: readonly string[] = process.execArgv): string[] {
  const isCode = (argument = '') => /^(-e|-p|-pe|--eval|--print)$/.test(argument);
  return execArgv.filter(
    (argument, index) =>
      !/^--(inspect|input-type|(eval|print)=)/.test(argument) &&
      !isCode(argument) &&
      !isCode(execArgv[index - 1]),
  );
}

/** Starts a process with the streams and the options of this one. */
export function startProgram({ file, args, env, memoryMb, detached }: ProcessProgram): ChildProcess {
  const execArgv = optionsOfNode();
  const options = [...execArgv, env['NODE_OPTIONS'] ?? ''].join(' ');
  // V8 takes both spellings.
  if (!/--max[-_]semi[-_]space[-_]size/.test(options)) execArgv.push(`--max-semi-space-size=${semiSpaceMb}`);
  if (memoryMb !== undefined) execArgv.push(`--max-old-space-size=${memoryMb}`);
  return fork(file, args, {
    env,
    execArgv,
    detached,
    // The last one carries calls and their results (`callsFd`).
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
    serialization: 'json',
  });
}
