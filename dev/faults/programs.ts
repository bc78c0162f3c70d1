import { projectFile } from '../stack/project.ts';
import { polled, stage } from './lambda-service.ts';
import type { Parts } from './parts.ts';

/** A program that runs functions, as a deployment starts it. */
export interface Program {
  /** Names its log file. */
  name: string;
  /** Arguments of Node. */
  args: readonly string[];
  /** Matches a line of its output when it is up. */
  up: RegExp;
  /** Whether faults may set its clock: `serverless offline` runs functions in threads, which no signal reaches. */
  hasClock: boolean;
  /** Whether it consumes the queues of the harness's own functions. */
  runsOwn: boolean;
}

/** Time that each has to finish its work in flight, in seconds. */
export const drainSeconds = 30;

/** Its schedules are looked after by one process; the sweep of old uploads is no part of this. */
const scheduled = ['announce-pictures', 'flush-alerts', 'send-digests', 'poll-queues'];

/**
 * All programs: so many workers, of which every second one runs each function in a process of its own; a worker that calls
 * functions through a Lambda API, and that API; a scheduler, which also runs the long poll, which calls them through it too; and the
 * server for HTTP.
 *
 * @param options `offline`: the Lambda API is that of `serverless offline`, whose plugin feeds the functions as well.
 */
export function programsOf(
  { manifestFile, direct }: Parts,
  { workers, offline }: { workers: number; offline: boolean },
): Program[] {
  const common = ['--manifest', manifestFile, '--drain', String(drainSeconds)];
  const warren = (name: string, up: RegExp, ...args: string[]): Program => ({
    name,
    args: [projectFile('dev/warren.mjs'), ...args, ...common],
    up,
    hasClock: true,
    runsOwn: false,
  });
  const worker = (name: string, ...args: string[]) =>
    warren(name, /"worker is up"/, 'worker', '--no-http', ...args);
  const [http, lambda] = [new URL(direct.HTTP_URL), new URL(direct.LAMBDA_URL)];
  return [
    ...Array.from({ length: workers }, (_, n) => ({
      ...(n % 2 === 0 ? worker('worker', '--processes', '0') : worker('worker-isolated')),
      runsOwn: true,
    })),
    worker('worker-lambda', ...polled, '--invoke', 'lambda', '--stage', stage),
    offline ? serverlessOffline(lambda.port) : lambdaApi(manifestFile, lambda.port),
    warren('schedule', /"scheduler is up"/, 'schedule', ...scheduled, '--port', '0'),
    warren('serve', /"serving"/, 'serve', '--port', http.port, '--metrics-port', '0'),
  ];
}

/** How many programs consume for a function that a queue feeds, and how many run it. The plugin consumes as well, if it is there. */
export const programsWith = (functionName: string, workers: number): [consumers: number, runners: number] =>
  polled.includes(functionName) ? [workers + 3, workers + 1] : [workers, workers];

const lambdaApi = (manifestFile: string, port: string): Program => ({
  name: 'lambda-api',
  args: [projectFile('dev/faults/lambda-api.mjs'), manifestFile, port],
  up: /"Lambda API is up"/,
  hasClock: true,
  runsOwn: false,
});

const serverlessOffline = (port: string): Program => ({
  name: 'offline',
  args: [
    projectFile('node_modules/serverless/bin/serverless.js'),
    ...['offline', 'start', '--noSponsor', '--host', '127.0.0.1', '--lambdaPort', port],
  ],
  up: /"host":"event-source".*"(consuming|cannot subscribe, retrying)"/,
  hasClock: false,
  runsOwn: false,
});
