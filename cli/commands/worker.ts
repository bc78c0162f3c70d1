import type { Command } from 'commander';
import { startWorker } from '../../shared/event-source/worker.ts';
import { required } from '../context.ts';
import {
  drainOption,
  type HostingOptions,
  hostLog,
  hostOption,
  manifestOption,
  processHost,
  untilSignal,
  wholeNumber,
} from '../hosting.ts';

interface Options extends HostingOptions {
  port: number;
  http: boolean;
}

export function register(program: Command): void {
  program
    .command('worker')
    .description('feed functions from their queues and call them in this process, until SIGTERM')
    .argument('[functions...]', 'keys of functions in serverless.yml; default all that a queue feeds')
    .addOption(manifestOption())
    .addOption(hostOption('/metrics, /healthz and /readyz are'))
    .option('-p, --port <port>', 'its port; 0 for any', wholeNumber(0, 65_535), 9464)
    .option('--no-http', 'answer nothing')
    .addOption(drainOption('calls'))
    .addHelpText(
      'after',
      `
The exit code after SIGTERM or Ctrl-C is 0 when all was done, 1 when the time was up; what was not done is back in its
queue. AMQP_URL names the broker, or several nodes separated by commas.

Examples:
  warren worker
  warren worker resize-picture --port 9465
  warren worker --manifest warren.json --host 0.0.0.0`,
    )
    .action(async (functions: string[], options: Options) => {
      const { host: address, port, http, drain } = options;
      const host = await processHost(options);
      const log = hostLog('worker');
      const stopAtSignal = untilSignal(log, drain);
      const worker = await startWorker({
        ...{ ...host, functions, log, url: required('AMQP_URL') },
        http: http ? { host: address, port } : undefined,
      });
      log.info({ queues: worker.mappings.map(({ queue }) => queue), port: worker.port }, 'worker is up');
      await stopAtSignal((ms) => worker.stop(ms), 'what was not done is back in its queue');
    });
}
