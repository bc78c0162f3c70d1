import { type Command, Option } from 'commander';
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
  metricsPort: number;
  bodyLimit: number;
  trustProxy?: string[];
}

export function register(program: Command): void {
  program
    .command('serve')
    .description(
      'answer the HTTP routes of serverless.yml with their functions in this process, until SIGTERM',
    )
    .addOption(manifestOption())
    .addOption(hostOption('the routes'))
    .option('-p, --port <port>', 'its port; 0 for any', wholeNumber(0, 65_535), 8080)
    .option('--metrics-port <port>', 'port of /metrics, /healthz and /readyz', wholeNumber(0, 65_535), 9464)
    .option(
      '--body-limit <bytes>',
      'largest body of any route in bytes; each function has a limit of its own',
      wholeNumber(1, 100_000_000),
      4_500_000,
    )
    .addOption(
      new Option(
        '--trust-proxy <addresses...>',
        'proxies whose X-Forwarded-For is trusted; addresses or networks such as 10.0.0.0/8',
      ),
    )
    .addOption(drainOption('requests'))
    .addHelpText(
      'after',
      `
It serves plain HTTP: the proxy in front of it terminates TLS. The exit code after SIGTERM or Ctrl-C is 0 if every request was
answered in time, else 1.

Example:
  warren serve --manifest warren.json --host 0.0.0.0 --trust-proxy 10.0.0.0/8`,
    )
    .action(async (options: Options) => {
      const { host: address, port, metricsPort, bodyLimit, trustProxy = [], drain } = options;
      const host = await processHost(options);
      const log = hostLog('serve');
      const stopAtSignal = untilSignal(log, drain);
      // The server is large, and the other commands do without.
      const { HttpHost } = await import('../../hosts/http/host.ts');
      const served = new HttpHost({
        ...host,
        log,
        host: address,
        port,
        bodyLimit,
        trustProxy,
        probes: { host: address, port: metricsPort },
      });
      await served.start();
      log.info({ port: served.port, metricsPort: served.probesPort }, 'serving');
      await stopAtSignal(served, 'requests were cut off');
    });
}
