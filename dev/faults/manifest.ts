import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { printManifest } from '../../runtime/cli/manifest.ts';
import { readMappings } from '../../runtime/event-source/mapping.ts';
import { mappingsVariable } from '../../runtime/hosts/long-poll.ts';
import { readManifest } from '../../runtime/hosts/manifest.ts';
import { policiesText, policiesVariable } from '../../runtime/messages/policies.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { consumedQueues } from '../../runtime/topology/consumed-queues.ts';
import type { BrokerPolicy } from '../../runtime/topology/queue-retry.ts';
import { queueSettings } from '../../runtime/topology/queue-settings.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { alertSettings } from '../../shared/alerts/alert-routes.ts';
import { projectFile } from '../stack/project.ts';
import { polledMappings, writeService } from './lambda-service.ts';
import { runsFile } from './runs.ts';

/** What the workers are started with. */
export interface Prepared {
  manifestFile: string;
  /** Number of queues that feed each function. */
  queues: ReadonlyMap<string, number>;
  /** Declares what is missing of the topology, as an operator does with `warren topology apply`. */
  applyAgain(): Promise<unknown>;
  /** The policies for retries in the queue. */
  retryPolicies: readonly BrokerPolicy[];
}

/** Seconds; production's would keep us waiting for an hour. */
export const retryDelays = [1, 2, 5];
export const lastRetryDelay = 5;

/** The long poll runs half of the time, and ends before the drain of its scheduler does. */
const pollOften = { timeout: 30, events: [{ schedule: 'rate(1 minute)' }] };

/** Its alerts go to the harness's webhook. */
const hookQueue = 'faults-hook';
const hookEvent = { rabbitmq: { queue: hookQueue, batchSize: 100 } };

const workQueues = ['faults-work', 'faults-beside', 'faults-deadly'];

/** Queues and functions of the harness itself, beside the sample's. */
const ownQueues = {
  'record-call': { kind: 'rpc', concurrency: 10, bindings: [{ exchange: 'rpc', routingKey: 'record-call' }] },
  [hookQueue]: { bindings: [{ exchange: 'alerts', routingKey: '*.hook' }] },
  ...Object.fromEntries(workQueues.map((name) => [name, {}])),
};

const ownFunctions = (folder: string) => {
  const environment = { FAULTS_RUNS: runsFile(folder) };
  return {
    'record-call': {
      handler: 'faults/record-call.handler',
      environment,
      events: [{ rabbitmq: { queue: 'record-call', batchSize: 10 } }],
    },
    work: {
      handler: 'faults/work.handler',
      timeout: 60,
      environment,
      events: workQueues.map((queue) => ({ rabbitmq: { queue, batchSize: 10 } })),
    },
  };
};

/** serverless.yml as it is, with the harness's functions and shorter waits between tries and between summaries. */
export async function prepareManifest(folder: string, url: string, hookUrl: string): Promise<Prepared> {
  const manifest = readManifest(await printManifest());
  const given = manifest.custom?.['warren'] as { queues?: object };
  const section = { ...given, retryDelays, queues: { ...given.queues, ...ownQueues } };
  Object.assign(manifest.functions, ownFunctions(folder));
  const email = manifest.functions['email-alert'];
  if (email) email.events = [...(email.events ?? []), hookEvent];
  const topology = compileTopology(readSection(section), consumedQueues(manifest.functions));
  const applyAgain = () => applyTopology(url, topology);
  await applyAgain();
  // Replaces the plugin, which passes the settings of serverless.yml to the functions.
  const policies = policiesText(queueSettings(readSection(section)));
  for (const each of Object.values(manifest.functions)) {
    const routes = each.environment?.['ALERT_ROUTES'] && ownRoutes(each.environment, hookUrl);
    each.environment = {
      ...each.environment,
      ...(policies && { [policiesVariable]: policies }),
      ...(routes && { ALERT_ROUTES: routes }),
    };
  }
  const longPoll = manifest.functions['poll-queues'];
  const whole = { ...manifest, custom: { warren: section } };
  if (longPoll)
    Object.assign(longPoll, pollOften, { environment: { [mappingsVariable]: polledMappings(whole) } });
  const manifestFile = join(folder, 'warren.json');
  await writeFile(manifestFile, JSON.stringify(whole));
  // A manifest names handlers from its own folder on.
  await symlink(projectFile('functions'), join(folder, 'functions'));
  await symlink(projectFile('dev/faults/functions'), join(folder, 'faults'));
  await writeService(folder, whole);
  const queues = new Map<string, number>();
  for (const { functionName } of readMappings(manifest.functions, readSection(section))) {
    queues.set(functionName, (queues.get(functionName) ?? 0) + 1);
  }
  const retryPolicies = topology.queues.flatMap(({ retryPolicy }) => retryPolicy ?? []);
  return { manifestFile, queues, applyAgain, retryPolicies };
}

/** As often as may be, in seconds. */
const summaryInterval = 60;

function ownRoutes(environment: Record<string, string | undefined>, hookUrl: string): string {
  const routes = readSettings({ alerts: alertSettings }, environment).alerts.ALERT_ROUTES;
  const often = Object.entries(routes).map(([queue, route]) => [
    queue,
    { ...route, summary_interval: summaryInterval },
  ]);
  const hook = { channel: 'webhook', subject: 'HOOK', url: hookUrl };
  return JSON.stringify({ ...Object.fromEntries(often), [hookQueue]: hook });
}
