import { WarrenError } from '../base/errors.ts';
import type { FunctionDefinition } from '../event-source/mapping.ts';
import type { Feed } from '../topology/schema.ts';

/** The parts of a function in serverless.yml that a deployment changes. */
export interface DeployedFunction extends FunctionDefinition {
  events?: Record<string, unknown>[];
}

export interface DeploymentOptions {
  /** What feeds the functions; if undefined, their events stay as written. */
  feed: Feed | undefined;
  /** The function that a schedule starts to feed the others. */
  longPoll?: string | undefined;
  /** The queues with `orderBy`, by their names, with their key. */
  ordered: ReadonlyMap<string, string>;
  /** Returns serverless's name for the mapping of a queue in the template. */
  mappingId: (functionName: string, queue: string) => string;
}

/**
 * Changes the functions of serverless.yml to those that are deployed. `rabbitmq` events become AWS's mappings only with
 * Amazon MQ. The long poll is deployed, with its schedule enabled, only with the adapter. With workers, which call functions
 * in their own process, functions that nothing else calls are omitted.
 *
 * @throws WarrenError ERR_CONFIG that names each event that AWS would interpret differently.
 */
export function prepareDeployment(
  functions: Record<string, DeployedFunction>,
  { feed, longPoll, ordered, mappingId }: DeploymentOptions,
): void {
  if (feed === undefined || feed === 'amazon-mq') checkMappings(functions, { ordered, mappingId });
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
  { ordered, mappingId }: Pick<DeploymentOptions, 'ordered' | 'mappingId'>,
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
      // serverless omits a window of 0, and AWS then uses its default.
      if (maximumBatchingWindow === 0) {
        const advice = 'omit it, and set batchSize to 1 if messages must not wait';
        problems.push(
          `${where}: maximumBatchingWindow: expected more than 0, because AWS turns 0 into 0.5, got 0; ${advice}`,
        );
      }
      const key = ordered.get(String(queue));
      if (key !== undefined) {
        problems.push(
          `${where}: its messages are ordered by ${key}, and AWS's own mapping keeps no order: set custom.warren.source to adapter or worker, or remove orderBy`,
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
