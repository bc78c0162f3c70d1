import type { Problem } from '../base/problems.ts';
import { type BindingArguments, bindingProblems } from './bindings.ts';
import { settingArguments, settingProblems } from './broker-settings.ts';
import { type ConsumedQueue, consumedProblems } from './consumed-queues.ts';
import { delayProblems } from './delayed-names.ts';
import { compileDelays, type Delays } from './delays.ts';
import { declaredExchange } from './exchange-fields.ts';
import { deadExchange, deadLetters, homeExchange, type QueueSettings, retryExchange } from './names.ts';
import {
  hashExchange,
  type PartitionedQueue,
  partitionBindings,
  partitionedQueues,
  partitionProblems,
  queuesOf,
} from './partitions.ts';
import { workArguments } from './queue-arguments.ts';
import { type BrokerPolicy, retryPolicy } from './queue-retry.ts';
import { queueSettings } from './queue-settings.ts';
import { polledQueues, sourceProblems } from './queue-source.ts';
import { retryQueueProblems, retryQueues } from './retry-queues.ts';
import { problemIn, type Section, topologyError } from './schema.ts';
import { type LimitedQueue, limitedQueues, queuesOfLimit, tokenProblems } from './tokens.ts';

export interface Exchange {
  name: string;
  type: string;
  arguments?: Record<string, unknown>;
}

export interface Queue {
  name: string;
  arguments: Record<string, unknown>;
  /** The work queue whose messages wait here for a retry; undefined for any other queue. */
  retryOf?: string;
  /** The queue with `orderBy` of which it is a partition. */
  partitionOf?: string;
  /** The queue whose limit it keeps. */
  limitOf?: string;
  /** Whether its messages may be delivered any number of times. */
  isUnlimited?: boolean;
  /** Whether the broker has to deliver by priority. */
  priorities?: boolean;
  /** The policy by which its first retries wait in the queue itself; undefined if they use retry queues. */
  retryPolicy?: BrokerPolicy;
}

export interface Binding {
  queue: string;
  exchange: string;
  routingKey: string;
  /** Only for an exchange of type `headers`. */
  arguments?: BindingArguments | undefined;
}

/** What is declared at the broker: the author's part, the retry queues and the dead letters. */
export interface Topology {
  exchanges: Exchange[];
  queues: Queue[];
  bindings: Binding[];
  /** The queues whose keys are divided among partitions; default none. */
  partitioned?: PartitionedQueue[];
  /** The queues with a limit; default none. */
  limited?: LimitedQueue[];
  /** The queues whose consumers come and go on AWS, because the long poll feeds their functions; default none. */
  polled?: string[];
  /** Whether the dead letters get an index. */
  deadLetterIndex?: boolean;
  /** What delayed messages need; undefined if there are none. */
  delays?: Delays;
}

/**
 * Checks `custom.warren` against itself and expands it to what is declared at the broker.
 *
 * @param consumed the queues that functions consume, by name or with their events; each has to be declared.
 * @throws WarrenError ERR_TOPOLOGY that lists every problem at once.
 */
export function compileTopology(
  section: Section,
  consumed: readonly (string | ConsumedQueue)[] = [],
): Topology {
  const problems = problemsIn(section, consumed);
  if (problems.length > 0) throw topologyError(problems);
  const { exchanges, queues } = section;
  const retries = retryQueues(section);
  const partitioned = partitionedQueues(section);
  const limited = limitedQueues(section);
  const settings = queueSettings(section);
  const polled = polledQueues(section);
  const work = Object.keys(queues).filter((queue) => queues[queue]?.kind === 'work');
  const topology: Topology = {
    ...(section.deadLetterIndex && { deadLetterIndex: true }),
    ...(partitioned.length > 0 && { partitioned }),
    ...(limited.length > 0 && { limited }),
    ...(polled.length > 0 && { polled }),
    exchanges: [
      ...Object.entries(exchanges).map(([exchange, settings]) => declaredExchange(exchange, settings)),
      { name: deadExchange, type: 'topic' },
      { name: retryExchange, type: 'direct' },
      // A message whose work queue was deleted goes to the dead letters.
      { name: homeExchange, type: 'direct', arguments: { 'alternate-exchange': deadExchange } },
      ...partitioned.map(hashExchange),
    ],
    queues: [
      { name: deadLetters, arguments: { 'x-queue-type': 'quorum' }, isUnlimited: true },
      ...retries,
      ...Object.entries(queues).flatMap(([queue, own]): Queue[] => {
        const ordered = partitioned.find((each) => each.queue === queue);
        if (ordered) return queuesOf(ordered, own);
        return [workOrCalls(queue, own, section.retryInQueue ? settings[queue] : undefined)];
      }),
      ...limited.flatMap(queuesOfLimit),
    ],
    bindings: [
      { queue: deadLetters, exchange: deadExchange, routingKey: '#' },
      ...retries.map(({ name }) => ({ queue: name, exchange: retryExchange, routingKey: name })),
      ...work.map((queue) => ({ queue, exchange: homeExchange, routingKey: queue })),
      ...partitioned.flatMap(partitionBindings),
      ...Object.entries(queues).flatMap(([queue, { bindings }]) =>
        !partitioned.some((each) => each.queue === queue) ? bindings.map((each) => ({ queue, ...each })) : [],
      ),
    ],
  };
  const delays = compileDelays(section, topology);
  return delays ? { ...topology, delays } : topology;
}

/** @param settings of a queue whose retries may wait in it. */
function workOrCalls(
  name: string,
  own: Section['queues'][string],
  settings: QueueSettings | undefined,
): Queue {
  const policy = retryPolicy(name, settings);
  return {
    name,
    arguments:
      own.kind === 'work'
        ? workArguments(name, own)
        : { 'x-queue-type': 'classic', ...settingArguments(own) },
    ...(own.priorities && { priorities: true }),
    ...(policy && { retryPolicy: policy }),
  };
}

function problemsIn(section: Section, consumed: readonly (string | ConsumedQueue)[]): Problem[] {
  const { exchanges, queues } = section;
  return [
    ...retryQueueProblems(section),
    ...delayProblems(section),
    ...Object.entries(queues).flatMap(([queue, settings]) =>
      settingProblems(queue, settings).map((text) => problemIn('queues', queue, text)),
    ),
    ...partitionProblems(section),
    ...sourceProblems(section),
    ...tokenProblems(section),
    ...Object.entries(exchanges).flatMap(([exchange, { alternateExchange: alternate }]) =>
      alternate === undefined || Object.hasOwn(exchanges, alternate)
        ? []
        : [
            problemIn(
              'exchanges',
              exchange,
              `exchange "${exchange}" has the alternate exchange "${alternate}", which is not declared`,
            ),
          ],
    ),
    ...Object.entries(queues).flatMap(([queue, { bindings }]) =>
      bindings.flatMap((binding, nth) =>
        bindingProblems(queue, binding, exchanges).map((text) => ({
          path: ['custom', 'warren', 'queues', queue, 'bindings', nth],
          text,
        })),
      ),
    ),
    ...consumed.flatMap((each) => consumedProblems(each, queues)),
  ];
}
