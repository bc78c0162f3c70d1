import type { Command } from 'commander';
import { runFunctionProcess } from '../../hosts/isolation/child.ts';

/** The argument with which a worker starts this program again, for the process of one function. */
export const functionProcess = 'function-process';

export function register(program: Command): void {
  program.command(functionProcess, { hidden: true }).action(runFunctionProcess);
}
