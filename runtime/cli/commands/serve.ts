import { type Command, Option } from 'commander';
import type { HttpClusterOptions } from '../../hosts/http/cluster.ts';
import type { HttpHostOptions } from '../../hosts/http/host.ts';
import {
  drainOption,
  type HostingOptions,
  hostLog,
  hostOption,
  manifestOption,
  probesPortOption,
  processCount,
  processHost,
  untilSignal,
  wholeNumber,
} from '../hosting.ts';
import { httpProcess } from './http-process.ts';

interface Options extends HostingOptions {
  port: number;
  metricsPort?: number;
  bodyLimit: number;
  answerLimit: number;
  trustProxy?: string[];
  processes: number | 'auto';
}

export function register(program: Command): void {
  program
    .command('serve')
    .description('answer the HTTP routes of serverless.yml with their functions, until SIGTERM')
    .addOption(manifestOption())
    .addOption(hostOption('the routes'))
    .option('-p, --port <port>', 'its port; 0 for any', wholeNumber(0, 65_535), 8080)
    .addOption(probesPortOption('--metrics-port <port>', 'port of /metrics, /healthz and /readyz'))
    .option(
      '--body-limit <bytes>',
      'largest body of any route in bytes; each function has a limit of its own',
      wholeNumber(1, 100_000_000),
      4_500_000,
    )
    .option(
      '--answer-limit <bytes>',
      'largest answer of any route in bytes; Lambda takes no more than 6 MB',
      wholeNumber(1, 100_000_000),
      6_000_000,
    )
    .addOption(
      new Option(
        '--trust-proxy <addresses...>',
        'proxies whose X-Forwarded-For is trusted; addresses or networks such as 10.0.0.0/8',
      ),
    )
    .addOption(
      new Option('--processes <number>', 'processes that share the port; auto for the number of cores')
        .argParser(processCount(1))
        .default(1),
    )
    .addOption(drainOption('requests'))
    .addHelpText(
      'after',
      `
With several processes, one that ends, or blocks its event loop for longer than the longest call may take, is replaced; the
others go on. /metrics adds up all processes.

It serves plain HTTP: the proxy in front of it terminates TLS. The exit code after SIGTERM or Ctrl-C is 0 if every request was
answered in time, else 1.

Example:
  warren serve --manifest warren.json --host 0.0.0.0 --trust-proxy 10.0.0.0/8`,
    )
    .action(async (options: Options) => {
      const { host: address, port, metricsPort, bodyLimit, answerLimit, trustProxy = [] } = options;
      const { drain, processes } = options;
      const host = await processHost(options);
      const log = hostLog('serve');
      const stopAtSignal = untilSignal(log, drain);
      const probes = { host: address, port: metricsPort };
      const limits = { bodyLimit, answerLimit };
      const settings = { ...host, log, host: address, port, ...limits, trustProxy, probes };
      const served = await makeHost(settings, processes, drain * 1000);
      await served.start();
      log.info({ port: served.port, metricsPort: served.probesPort }, 'serving');
      await stopAtSignal(served, 'requests were cut off');
    });
}

/** The server is large, and the other commands do without. */
async function makeHost(
  settings: Omit<HttpHostOptions, 'processes'> &
    Omit<HttpClusterOptions, 'processes' | 'program' | 'drainMs'>,
  processes: number | 'auto',
  drainMs: number,
) {
  if (processes === 1) {
    const { HttpHost } = await import('../../hosts/http/host.ts');
    return new HttpHost(settings);
  }
  const { HttpCluster } = await import('../../hosts/http/cluster.ts');
  const [, file = ''] = process.argv;
  return new HttpCluster({ ...settings, processes, drainMs, program: { file, args: [httpProcess] } });
}
