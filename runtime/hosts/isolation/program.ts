import { type ChildProcess, fork } from 'node:child_process';

/** How to start the process of a function. */
export interface ProcessProgram {
  /** A module that calls `runFunctionProcess`, and its arguments. */
  file: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Limit of the JavaScript heap in MiB; default Node's own. */
  memoryMb?: number | undefined;
}

/** Starts a process with the streams and the options of this one. */
export function startProgram({ file, args, env, memoryMb }: ProcessProgram): ChildProcess {
  // A debugger's port is taken by this process.
  const execArgv = process.execArgv.filter((argument) => !argument.startsWith('--inspect'));
  if (memoryMb !== undefined) execArgv.push(`--max-old-space-size=${memoryMb}`);
  return fork(file, args, {
    env,
    execArgv,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
}
