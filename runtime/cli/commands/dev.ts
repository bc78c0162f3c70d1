import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { createLog } from '../../base/log.ts';
import type { Host } from '../../hosts/host.ts';
import { environment } from '../context.ts';
import { hostLog, untilSignal, wholeNumber } from '../hosting.ts';
import { functionProcess } from './function-process.ts';

interface Options {
  port: number;
  board?: number | true;
  inspect?: string | true;
  inspectPort: number;
}

export function register(program: Command): void {
  program
    .command('dev')
    .description('run all functions of serverless.yml on this machine, with new code as soon as it is saved')
    .option('-p, --port <port>', 'port of the HTTP routes; 0 for any', wholeNumber(0, 65_535), 3000)
    .option(
      '--board [port]',
      'serve the board beside, default at port 9470; 0 for any',
      wholeNumber(0, 65_535),
    )
    .option('--inspect [functions]', 'let a debugger attach to these functions (a,b), default all')
    .option(
      '--inspect-port <port>',
      'port of the first one; each further one has the next',
      wholeNumber(1, 65_535),
      9229,
    )
    .addHelpText(
      'after',
      `
It bundles the functions with esbuild, declares the topology, and feeds each function from its queues, routes and schedules. Each
call is one line: function, queue, routing key, attempt, milliseconds, outcome and what it published. A saved file runs with the next
call; calls in flight end on the old code. A change of serverless.yml is applied too; queues and exchanges are only added.

AMQP_URL names the broker; without it, a private RabbitMQ keeps its data in .warren/. LOG_LEVEL=info shows the log lines of all parts.

Examples:
  warren dev --port 8080
  warren dev --board
  warren dev --inspect send-parcel`,
    )
    .action(async ({ port, board, inspect, inspectPort }: Options) => {
      // Only here: the other commands do without.
      const { startDev } = await import('../../local/start-dev.ts');
      const [, file = ''] = process.argv;
      process.env['LOG_LEVEL'] ||= 'warn';
      const log = createLog({ LOG_LEVEL: process.env['LOG_LEVEL'], host: 'dev' });
      const starting = new AbortController();
      const stopAtSignal = untilSignal(hostLog('dev'), 60, () => starting.abort());
      const started = startDev({
        root: resolve('.'),
        dataDir: join(resolve('.'), '.warren'),
        env: environment(),
        log,
        port,
        boardPort: board === true ? 9470 : board,
        inspect: inspectOptions(inspect, inspectPort),
        program: { file, args: [functionProcess] },
        signal: starting.signal,
        print: (line) => console.log(line),
      });
      const host = await started.catch((error: unknown) => {
        if (!starting.signal.aborted) throw error;
        return nothing;
      });
      await stopAtSignal(host, 'calls were cut off');
    });
}

function inspectOptions(inspect: string | true | undefined, port: number) {
  if (inspect === undefined) return undefined;
  return { port, ...(inspect !== true && { functions: inspect.split(',') }) };
}

/** A start that was called off has stopped what it had started. */
const nothing: Host = { start: async () => undefined, stop: async () => true };
