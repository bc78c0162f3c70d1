import type { Command } from 'commander';
import { hostLog } from '../hosting.ts';

/** The argument with which `warren serve` starts this program again, for one of several processes. */
export const httpProcess = 'http-process';

export function register(program: Command): void {
  program.command(httpProcess, { hidden: true }).action(async () => {
    // The server is large, and the other commands do without.
    const { runHttpProcess } = await import('../../hosts/http/cluster-process.ts');
    runHttpProcess(hostLog('serve'));
  });
}
