import { type Command, Option } from 'commander';
import { WarrenError } from '../../base/errors.ts';
import type { IsolationOptions } from '../../hosts/isolation/function-processes.ts';
import type { Manifest } from '../../hosts/manifest.ts';
import { Worker } from '../../hosts/worker.ts';
import { readSettings, SettingsReader } from '../../settings/read.ts';
import { brokerSettings, lambdaSettings } from '../../settings/sections.ts';
import { readSection } from '../../topology/schema.ts';
import { environment } from '../context.ts';
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
import { functionProcess } from './function-process.ts';

interface Options extends HostingOptions {
  port?: number;
  http: boolean;
  invoke: 'process' | 'lambda';
  stage?: string;
  processes: number | 'auto';
  memory?: number;
  heartbeat?: number;
}

export function register(program: Command): void {
  program
    .command('worker')
    .description('feed functions from their queues and call them until SIGTERM')
    .argument(
      '[functions...]',
      'keys of functions in serverless.yml; default every function that a queue feeds',
    )
    .addOption(manifestOption())
    .addOption(hostOption('/metrics, /healthz and /readyz'))
    .addOption(probesPortOption('-p, --port <port>', 'its port'))
    .option('--no-http', 'serve no metrics and no probes')
    .addOption(
      new Option('--invoke <host>', 'the host that calls the functions')
        .choices(['process', 'lambda'])
        .default('process'),
    )
    .option('--stage <stage>', 'with --invoke lambda, the stage of the deployment')
    .addOption(
      new Option(
        '--processes <number>',
        'processes of each function; auto for the number of cores, 0 for none but the worker itself',
      )
        .argParser(processCount(0))
        .default(1),
    )
    .option('--memory <MiB>', 'limit of the JavaScript heap of each such process', wholeNumber(16, 1_048_576))
    .option(
      '--heartbeat <seconds>',
      'time between heartbeats, default 10, or 60 if functions run in the process of the worker',
      wholeNumber(1, 3600),
    )
    .addOption(drainOption('calls'))
    .addHelpText(
      'after',
      `
The exit code after SIGTERM or Ctrl-C is 0 if all calls ended in time, else 1; messages that are not done go back to their
queues; a second signal ends the worker at once. AMQP_URL names the broker, or several nodes separated by commas;
AMQP_URL_FILE names a file with it.

Each function has a process of its own, so that a message that ends or blocks its process harms no other one, and a late call
ends. A function gets no more processes than it has calls in flight (\`concurrency\`). --processes 0 calls the functions in the
process of the worker. That needs less memory, and takes less time for each call, but such a message then harms all functions.

With --invoke lambda it calls deployed functions (source=adapter) through AWS's Lambda API, with the credentials that the
environment has; they need lambda:InvokeFunction. LAMBDA_URL is another address of that API. --drain has to be longer then.

Examples:
  warren worker
  warren worker ship-parcel --port 9465
  warren worker --processes auto --memory 256
  warren worker --manifest warren.json --host 0.0.0.0
  warren worker --invoke lambda --stage prod --drain 130`,
    )
    .action(async (functions: string[], options: Options) => {
      const { host: address, port, http, drain, heartbeat } = options;
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
        invoke: await invokeOf(options, host.manifest),
        heartbeat,
        isolation: isolationOf(options),
        http: http ? { host: address, port } : undefined,
      });
      await worker.start();
      log.info({ queues: worker.mappings.map(({ queue }) => queue), port: worker.port }, 'worker is up');
      await stopAtSignal(worker, 'messages that are not done are back in their queues');
    });
}

/** The processes of functions; undefined if they run in this one, or elsewhere. */
function isolationOf({ invoke, processes, memory: memoryMb }: Options): IsolationOptions | undefined {
  if (invoke === 'lambda' || processes === 0) return undefined;
  const [, file = ''] = process.argv;
  return { file, args: [functionProcess], processes, memoryMb };
}

/** How functions are called; undefined for in this process. */
async function invokeOf({ invoke, stage }: Options, { service, functions, custom }: Manifest) {
  if (invoke === 'process') return undefined;
  if (stage === undefined || service === undefined) {
    const expected = 'expected --stage, and a manifest that names the service';
    throw new WarrenError('ERR_CONFIG', `--invoke lambda: ${expected}`);
  }
  const { LAMBDA_URL: endpoint } = readSettings({ lambda: lambdaSettings }).lambda;
  const { release } = readSection(custom?.['warren']);
  // Other Lambda APIs, such as that of serverless-offline, know no aliases.
  const alias = release && endpoint === undefined ? `:${release.alias}` : '';
  // AWS's client is a third of what a worker loads, and most workers call no Lambda function.
  const { lambdaInvoke } = await import('../../hosts/lambda.ts');
  return (name: string, timeoutMs: number) => {
    // As serverless calls what it deploys.
    const deployed = functions[name]?.name ?? `${service}-${stage}-${name}`;
    return lambdaInvoke({ functionName: `${deployed}${alias}`, timeoutMs, endpoint });
  };
}
