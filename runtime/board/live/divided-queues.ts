import type { PartitionedQueue } from '../../topology/partitions.ts';
import type { LimitedQueue } from '../../topology/tokens.ts';
import type { LiveKeys, LiveLimit, LivePartition, LivePerKey } from '../api-live-types.ts';
import type { BrokerQueue } from './broker-queues.ts';

type Queues = ReadonlyMap<string, BrokerQueue>;

const sumOf = (numbers: readonly (number | null)[]): number | null =>
  numbers.includes(null) ? null : numbers.reduce<number>((total, each) => total + (each ?? 0), 0);

/** The sum of the known ones; null if none is. */
const knownSum = (numbers: readonly (number | null)[]): number | null =>
  sumOf(numbers.filter((each) => each !== null).length > 0 ? numbers.map((each) => each ?? 0) : [null]);

/**
 * Combines the numbers of a queue with those of its partitions.
 *
 * @param keys those in hand, by the number of the partition; undefined if no worker reports them.
 */
export function mergePartitions(
  all: Queues,
  own: BrokerQueue,
  { partitions, parked = [] }: PartitionedQueue,
  keys: ReadonlyMap<string, LiveKeys> | undefined,
): { queue: BrokerQueue; partitions: LivePartition[] } {
  const of = (names: readonly string[]) => names.flatMap((name) => all.get(name) ?? []);
  const divided = of(partitions);
  const every = [own, ...divided, ...of(parked)];
  const ages = every.flatMap(({ oldestAt }) => oldestAt ?? []);
  return {
    queue: {
      ...own,
      waiting: every.reduce((total, { waiting }) => total + waiting, 0),
      inFlight: sumOf(every.map(({ inFlight }) => inFlight)),
      // Every worker subscribes to all of them.
      consumers: divided.length > 0 ? Math.min(...divided.map(({ consumers }) => consumers)) : 0,
      rateIn: knownSum(divided.map(({ rateIn }) => rateIn)),
      rateOut: knownSum(divided.map(({ rateOut }) => rateOut)),
      oldestAt: ages.length > 0 ? Math.min(...ages) : null,
    },
    partitions: partitions.map((name, index) => ({
      name,
      waiting: all.get(name)?.waiting ?? 0,
      in_flight: all.get(name)?.inFlight ?? null,
      parked: parked.length > 0 ? (all.get(parked[index] ?? '')?.waiting ?? 0) : null,
      keys: keys?.get(String(index)) ?? null,
    })),
  };
}

/**
 * A limit, and the messages that wait for it.
 *
 * @param waiting messages of the queue.
 */
export function limitOf(all: Queues, { tokens, count, periodMs }: LimitedQueue, waiting: number): LiveLimit {
  const free = all.get(tokens)?.waiting ?? null;
  // Workers take messages as long as tokens are there.
  return { count, seconds: periodMs / 1000, free, waiting: free === 0 ? waiting : 0 };
}

/** What the messages of one key may take, and those that wait aside; undefined with `orderBy`. */
export function perKeyOf(
  { orderBy: of, perKey }: PartitionedQueue,
  partitions: readonly LivePartition[],
): LivePerKey | undefined {
  if (!perKey) return undefined;
  const { concurrency = null, limit } = perKey;
  return {
    of,
    concurrency,
    limit: limit ? { count: limit.count, seconds: limit.periodMs / 1000 } : null,
    waiting: partitions.reduce((total, { parked }) => total + (parked ?? 0), 0),
  };
}
