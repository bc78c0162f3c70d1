import { WarrenError } from '../base/errors.ts';
import type { FunctionDefinition } from '../event-source/mapping.ts';
import type { Feed, Section } from '../topology/schema.ts';

/** The parts of a function in serverless.yml that a deployment changes. */
export interface DeployedFunction extends FunctionDefinition {
  events?: Record<string, unknown>[];
}

export interface DeploymentOptions {
  /** What feeds the functions; if undefined, their events stay as written. */
  feed: Feed | undefined;
  /** The function that a schedule starts to feed the others. */
  longPoll?: string | undefined;
  /** The queues whose functions it feeds, also if the others have AWS's own mappings; default none. */
  polled?: readonly string[] | undefined;
  /** What AWS's own mapping does not do for a queue, by its name. */
  notByAws: ReadonlyMap<string, string>;
  /** Returns serverless's name for the mapping of a queue in the template. */
  mappingId: (functionName: string, queue: string) => string;
}

/**
 * Changes the functions of serverless.yml to those that are deployed. `rabbitmq` events become AWS's mappings only with
 * Amazon MQ. The long poll is deployed, with its schedule enabled, only with the adapter, or if a queue has it as its source. With
 * workers, which call functions in their own process, functions that nothing else calls are omitted.
 *
 * @throws WarrenError ERR_CONFIG that names each event that AWS would interpret differently.
 */
export function prepareDeployment(
  functions: Record<string, DeployedFunction>,
  { feed, longPoll, polled = [], notByAws, mappingId }: DeploymentOptions,
): void {
  const uncalled =
    feed === undefined
      ? []
      : dropMappings(functions, (queue) => feed !== 'amazon-mq' || polled.includes(queue));
  if (feed === undefined || feed === 'amazon-mq') checkMappings(functions, { notByAws, mappingId });
  if (feed === 'worker') for (const functionName of uncalled) delete functions[functionName];
  if (feed === undefined || longPoll === undefined) return;
  if (feed === 'worker' || (feed === 'amazon-mq' && polled.length === 0)) delete functions[longPoll];
  for (const { schedule } of functions[longPoll]?.events ?? []) {
    if (typeof schedule === 'object' && schedule !== null) Object.assign(schedule, { enabled: true });
  }
}

/** What AWS's own mapping does not do for the queues of a section. */
export function notByAws({ queues }: Section): Map<string, string> {
  const problem = (what: string, setting: string) =>
    `${what}: set custom.warren.source to adapter or worker, or the source of the queue to adapter, or remove ${setting}`;
  return new Map(
    Object.entries(queues).flatMap(([queue, { orderBy, limit, perKey }]): [string, string][] => {
      const ordered = `its messages are ordered by ${orderBy}, and AWS's own mapping keeps no order`;
      if (orderBy !== undefined) return [[queue, problem(ordered, 'orderBy')]];
      const setting = limit ? 'limit' : perKey ? 'perKey' : undefined;
      if (setting === undefined) return [];
      return [[queue, problem("it has a limit, and AWS's own mapping keeps none", setting)]];
    }),
  );
}

/**
 * Removes the `rabbitmq` events of queues that AWS's own mappings do not serve.
 *
 * @returns the functions that have no event any more.
 */
function dropMappings(
  functions: Record<string, DeployedFunction>,
  isDropped: (queue: string) => boolean,
): string[] {
  return Object.entries(functions).flatMap(([functionName, definition]) => {
    const { events = [] } = definition;
    definition.events = events.filter(
      (event) => !('rabbitmq' in event && isDropped(String(settingsOf(event)['queue']))),
    );
    return events.length > 0 && definition.events.length === 0 ? [functionName] : [];
  });
}

const settingsOf = (event: Record<string, unknown>) => event['rabbitmq'] as Record<string, unknown>;

function checkMappings(
  functions: Readonly<Record<string, DeployedFunction>>,
  { notByAws, mappingId }: Pick<DeploymentOptions, 'notByAws' | 'mappingId'>,
): void {
  const problems: string[] = [];
  const queueOf = new Map<string, string>();
  for (const [functionName, { events = [] }] of Object.entries(functions)) {
    for (const event of events) {
      if (!('rabbitmq' in event)) continue;
      const { queue, virtualHost = '/', maximumBatchingWindow } = settingsOf(event);
      const where = `functions.${functionName}: rabbitmq: queue "${queue}"`;
      // serverless omits a window of 0, and AWS then uses its default.
      if (maximumBatchingWindow === 0) {
        const advice = 'omit it, and set batchSize to 1 if messages must not wait';
        problems.push(
          `${where}: maximumBatchingWindow: expected more than 0, because AWS turns 0 into 0.5, got 0; ${advice}`,
        );
      }
      const lacking = notByAws.get(String(queue));
      if (lacking !== undefined) problems.push(`${where}: ${lacking}`);
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
