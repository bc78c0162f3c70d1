import type { Command } from 'commander';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { collectClientMetrics } from '../../hosts/client-metrics.ts';
import { readableMetrics } from '../../hosts/exposition.ts';
import { fine, serveProbes } from '../../hosts/probes.ts';
import { Scheduler } from '../../hosts/schedule.ts';
import { Turn, turnQueue } from '../../hosts/turn.ts';
import {
  drainOption,
  type HostingOptions,
  hostLog,
  hostOption,
  manifestOption,
  probesPortOption,
  processHost,
  untilSignal,
} from '../hosting.ts';
import { brokerUrl } from '../vhosts.ts';

interface Options extends HostingOptions {
  port?: number;
  once: boolean;
  standby: boolean;
}

export function register(program: Command): void {
  program
    .command('schedule')
    .description('call functions on their schedules in this process, until SIGTERM')
    .argument('[functions...]', 'keys of functions in serverless.yml; default every function with a schedule')
    .addOption(manifestOption())
    .addOption(hostOption('/metrics, /healthz and /readyz'))
    .addOption(probesPortOption('-p, --port <port>', 'its port'))
    .option('--once', 'call each function once and end; the exit code is 1 if one of them failed', false)
    .option('--standby', 'call only while no other such process of the service does; needs AMQP_URL', false)
    .addOption(drainOption('calls'))
    .addHelpText(
      'after',
      `
One such process is enough. Each of several calls every function, unless all have --standby: then the broker lets one of them work,
and another takes over at its next time when that one has ended. The login needs schedules: true in custom.warren.users.

Examples:
  warren schedule
  warren schedule --standby
  warren schedule clean-up-orders --once`,
    )
    .action(async (functions: string[], options: Options) => {
      const host = await processHost(options);
      const log = hostLog('schedule');
      const stopAtSignal = untilSignal(log, options.drain);
      const queue = turnQueue(host.manifest.service ?? '');
      const turn = options.standby
        ? new Turn({ url: brokerUrl(), name: 'warren schedule', queue })
        : undefined;
      const scheduler = new Scheduler({ ...host, functions, log, turn });
      if (options.once) process.exit((await scheduler.once()) ? 0 : 1);
      // Bound before anything is called: a scheduler whose port is taken must not run unseen.
      const probes = await serveProbes({ ...options, metrics: processMetrics(), ready: () => fine });
      await scheduler.start();
      log.info({ functions: scheduler.scheduled, port: probes.port }, 'scheduler is up');
      await stopAtSignal(scheduler, 'the next run takes up what is left');
    });
}

/** Metrics of the process, its publishers and its connections. The results of the calls are in the log. */
function processMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  collectClientMetrics(registry);
  return readableMetrics(registry);
}
