import { type Command, Option } from 'commander';
import { WarrenError } from '../../base/errors.ts';
import { lambdaInvoke } from '../../hosts/lambda.ts';
import type { Manifest } from '../../hosts/manifest.ts';
import { Worker } from '../../hosts/worker.ts';
import { readSettings, SettingsReader } from '../../settings/read.ts';
import { brokerSettings, lambdaSettings } from '../../settings/sections.ts';
import { environment } from '../context.ts';
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
  invoke: 'process' | 'lambda';
  stage?: string;
}

export function register(program: Command): void {
  program
    .command('worker')
    .description('feed functions from their queues and call them, by default in this process, until SIGTERM')
    .argument(
      '[functions...]',
      'keys of functions in serverless.yml; default every function that a queue feeds',
    )
    .addOption(manifestOption())
    .addOption(hostOption('/metrics, /healthz and /readyz'))
    .option('-p, --port <port>', 'its port; 0 for any', wholeNumber(0, 65_535), 9464)
    .option('--no-http', 'serve no metrics and no probes')
    .addOption(
      new Option('--invoke <host>', 'the host that calls the functions')
        .choices(['process', 'lambda'])
        .default('process'),
    )
    .option('--stage <stage>', 'with --invoke lambda, the stage of the deployment')
    .addOption(drainOption('calls'))
    .addHelpText(
      'after',
      `
The exit code after SIGTERM or Ctrl-C is 0 if all calls ended in time, else 1; messages that are not done go back to their
queues. AMQP_URL names the broker, or several nodes separated by commas; AMQP_URL_FILE names a file with it.

With --invoke lambda it calls deployed functions (source=adapter) through AWS's Lambda API, with the credentials that the
environment has; they need lambda:InvokeFunction. LAMBDA_URL is another address of that API. --drain has to be longer then.

Examples:
  warren worker
  warren worker ship-parcel --port 9465
  warren worker --manifest warren.json --host 0.0.0.0
  warren worker --invoke lambda --stage prod --drain 130`,
    )
    .action(async (functions: string[], options: Options) => {
      const { host: address, port, http, drain } = options;
      const host = await processHost(options);
      const log = hostLog('worker');
      const stopAtSignal = untilSignal(log, drain);
      const settings = new SettingsReader({ broker: brokerSettings }, environment());
      const url = async () => (await settings.read()).broker.AMQP_URL;
      const worker = new Worker({
        ...host,
        functions,
        log,
        url: await url(),
        renewUrl: url,
        invoke: invokeOf(options, host.manifest),
        http: http ? { host: address, port } : undefined,
      });
      await worker.start();
      log.info({ queues: worker.mappings.map(({ queue }) => queue), port: worker.port }, 'worker is up');
      await stopAtSignal(worker, 'messages that are not done are back in their queues');
    });
}

/** How functions are called; undefined for in this process. */
function invokeOf({ invoke, stage }: Options, { service, functions }: Manifest) {
  if (invoke === 'process') return undefined;
  if (stage === undefined || service === undefined) {
    const expected = 'expected --stage, and a manifest that names the service';
    throw new WarrenError('ERR_CONFIG', `--invoke lambda: ${expected}`);
  }
  const { LAMBDA_URL: endpoint } = readSettings({ lambda: lambdaSettings }).lambda;
  return (name: string, timeoutMs: number) => {
    // As serverless calls what it deploys.
    const functionName = functions[name]?.name ?? `${service}-${stage}-${name}`;
    return lambdaInvoke({ functionName, timeoutMs, endpoint });
  };
}
