import { WarrenError } from '../base/errors.ts';
import type { FunctionDefinition } from '../event-source/mapping.ts';
import type { Feed } from '../topology/schema.ts';

/** A function of serverless.yml, as far as a deployment changes it. */
export interface DeployedFunction extends FunctionDefinition {
  events?: Record<string, unknown>[];
}

export interface DeploymentOptions {
  /** Who feeds the functions; where nobody said, everything stays as it is written. */
  feed: Feed | undefined;
  /** The function that a schedule wakes up to feed the others. */
  longPoll?: string | undefined;
  /** How serverless calls the mapping of a queue in the template. */
  mappingId: (functionName: string, queue: string) => string;
}

/**
 * Makes the functions of serverless.yml those that are deployed: only with Amazon MQ do their `rabbitmq` events become
 * mappings of AWS's, only the adapter's long poll is deployed with its schedule on, and where workers call functions in their
 * own process, those that nothing else calls are left out.
 *
 * @throws WarrenError ERR_CONFIG that names each event of which AWS would make something else than it says.
 */
export function prepareDeployment(
  functions: Record<string, DeployedFunction>,
  { feed, longPoll, mappingId }: DeploymentOptions,
): void {
  if (feed === undefined || feed === 'amazon-mq') checkMappings(functions, mappingId);
  if (feed === undefined) return;
  if (feed !== 'amazon-mq') dropMappings(functions, feed);
  if (longPoll === undefined) return;
  if (feed !== 'adapter') delete functions[longPoll];
  for (const { schedule } of functions[longPoll]?.events ?? []) {
    if (typeof schedule === 'object' && schedule !== null) Object.assign(schedule, { enabled: true });
  }
}

function dropMappings(functions: Record<string, DeployedFunction>, feed: 'adapter' | 'worker'): void {
  for (const [functionName, definition] of Object.entries(functions)) {
    const { events = [] } = definition;
    definition.events = events.filter((event) => !('rabbitmq' in event));
    const isCalled = events.length === 0 || definition.events.length > 0;
    if (feed === 'worker' && !isCalled) delete functions[functionName];
  }
}

function checkMappings(
  functions: Readonly<Record<string, DeployedFunction>>,
  mappingId: DeploymentOptions['mappingId'],
): void {
  const problems: string[] = [];
  const queueOf = new Map<string, string>();
  for (const [functionName, { events = [] }] of Object.entries(functions)) {
    for (const event of events) {
      if (!('rabbitmq' in event)) continue;
      const {
        queue,
        virtualHost = '/',
        maximumBatchingWindow,
      } = event['rabbitmq'] as Record<string, unknown>;
      const where = `functions.${functionName}: rabbitmq: queue "${queue}"`;
      // serverless leaves out a window of 0, and without one AWS takes its default.
      if (maximumBatchingWindow === 0) {
        const advice = 'leave it out, and take a batchSize of 1 where messages must not wait';
        problems.push(
          `${where}: maximumBatchingWindow: expected more than 0, of which AWS makes 0.5; ${advice}`,
        );
      }
      const id = mappingId(functionName, String(queue));
      const own = `"${queue}" of virtual host "${virtualHost}"`;
      const other = queueOf.get(id);
      if (other !== undefined) {
        problems.push(
          `${where}: ${own} and ${other} get one name in the template, ${id}; rename one of them`,
        );
      }
      queueOf.set(id, own);
    }
  }
  if (problems.length > 0) throw new WarrenError('ERR_CONFIG', problems.join('\n'));
}
