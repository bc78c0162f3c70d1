import type { Topology } from '../../topology/compile.ts';
import { isDelayQueue } from '../../topology/delay-names.ts';
import { deadLetters, isRetryQueueOf } from '../../topology/names.ts';
import type { LiveKeys, LiveQueue, LiveRetry } from '../api-live-types.ts';
import type { BrokerQueue } from './broker-queues.ts';
import { limitOf, mergePartitions, perKeyOf } from './divided-queues.ts';

/** What is known of queues beside their own numbers. */
export interface QueueContext {
  /** Names of the functions that each queue feeds. */
  functions: ReadonlyMap<string, readonly string[]>;
  /** Number of dead letters by the queue in which they failed. */
  deadLetters: ReadonlyMap<string, number>;
  /** What the project declares; undefined without a manifest. */
  topology?: Topology | undefined;
  /** The keys that workers have in hand, by queue and by the number of the partition; empty if no worker reports them. */
  keys: ReadonlyMap<string, ReadonlyMap<string, LiveKeys>>;
  /** Milliseconds since 1970. */
  now: number;
}

/** Combines the queues of the broker: those for retries, partitions and limits are numbers of the others. */
export function liveQueues(all: ReadonlyMap<string, BrokerQueue>, context: QueueContext): LiveQueue[] {
  const { functions, deadLetters: dead, topology, keys, now } = context;
  const retries = retriesOf(all);
  const parts = new Set(topology?.queues.filter(isPart).map(({ name }) => name));
  const shown = [...all.values()].filter(({ name }) => !parts.has(name) && !isInternal(name));
  return shown.map((own) => {
    const { name } = own;
    const divided = topology?.partitioned?.find(({ queue }) => queue === name);
    const limited = topology?.limited?.find(({ queue }) => queue === name);
    const { queue, partitions } = divided
      ? mergePartitions(all, own, divided, keys.get(name))
      : { queue: own, partitions: undefined };
    const perKey = divided && partitions && perKeyOf(divided, partitions);
    const levels = retries.get(name) ?? [];
    const isRetried = functions.has(name) || levels.length > 0;
    return {
      name,
      functions: [...(functions.get(name) ?? [])],
      waiting: queue.waiting,
      in_flight: queue.inFlight,
      consumers: limited ? (all.get(limited.consumers)?.consumers ?? 0) : queue.consumers,
      rate_in: queue.rateIn,
      rate_out: queue.rateOut,
      oldest_age_ms: queue.oldestAt === null ? null : Math.max(0, now - queue.oldestAt),
      retrying: isRetried ? sum(levels.map(({ waiting }) => waiting)) + queue.delayed : null,
      retries: levels.filter(({ waiting }) => waiting > 0),
      dead_letters: dead.get(name) ?? 0,
      ...(partitions && { partitions }),
      ...(perKey && { per_key: perKey }),
      ...(limited && { limit: limitOf(all, limited, queue.waiting) }),
    };
  });
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

const isPart = ({ retryOf, partitionOf, limitOf }: Topology['queues'][number]): boolean =>
  (retryOf ?? partitionOf ?? limitOf) !== undefined;

/** The messages that wait for a retry, by their queue and by the length of their wait, the shortest first. */
function retriesOf(all: ReadonlyMap<string, BrokerQueue>): Map<string, LiveRetry[]> {
  const retries = new Map<string, LiveRetry[]>();
  for (const { name, waiting } of all.values()) {
    const { owner, seconds } = retryOf(name) ?? {};
    if (owner === undefined || seconds === undefined) continue;
    retries.set(owner, [...(retries.get(owner) ?? []), { seconds, waiting }]);
  }
  for (const levels of retries.values()) levels.sort((one, other) => one.seconds - other.seconds);
  return retries;
}

/** The queue whose messages wait in a retry queue, and for how long; undefined for any other queue. */
function retryOf(name: string): { owner: string; seconds: number } | undefined {
  const [, owner, seconds] = /^(.+)\.retry\.(\d+)s$/s.exec(name) ?? [];
  return owner !== undefined && isRetryQueueOf(owner, name) ? { owner, seconds: Number(seconds) } : undefined;
}

/** Queues of this package, and the temporary queues of clients. */
const isInternal = (name: string): boolean =>
  name === deadLetters ||
  name.startsWith('warren.') ||
  name.startsWith('amq.') ||
  isDelayQueue(name) ||
  retryOf(name) !== undefined;
