import { delayLevel, delayLevels, isDelayQueue } from '../../topology/delay-names.ts';
import { deadLetters, isRetryQueueOf } from '../../topology/names.ts';
import type { LiveDelay, LiveQueue } from '../api-live-types.ts';
import type { BrokerQueue } from './broker-queues.ts';

/** What is known of queues beside their own numbers. */
export interface QueueContext {
  /** Names of the functions that each queue feeds. */
  functions: ReadonlyMap<string, readonly string[]>;
  /** Number of dead letters by the queue in which they failed. */
  deadLetters: ReadonlyMap<string, number>;
  /** Milliseconds since 1970. */
  now: number;
}

/** Combines the queues of the broker: those for retries and delays are numbers of the others. */
export function liveQueues(all: readonly BrokerQueue[], context: QueueContext): LiveQueue[] {
  const { functions, deadLetters: dead, now } = context;
  const retries = new Map<string, number>();
  for (const { name, waiting } of all) {
    const owner = retriedQueue(name);
    if (owner !== undefined) retries.set(owner, (retries.get(owner) ?? 0) + waiting);
  }
  const shown = all.filter(({ name }) => !isInternal(name));
  return shown.map(({ name, waiting, inFlight, consumers, rateIn, rateOut, oldestAt }) => ({
    name,
    functions: [...(functions.get(name) ?? [])],
    waiting,
    in_flight: inFlight,
    consumers,
    rate_in: rateIn,
    rate_out: rateOut,
    oldest_age_ms: oldestAt === null ? null : Math.max(0, now - oldestAt),
    retrying: retries.get(name) ?? (functions.has(name) ? 0 : null),
    // The delays are shared by all queues.
    scheduled: null,
    dead_letters: dead.get(name) ?? 0,
  }));
}

/** The messages that wait for a retry or with a delay, by level. */
export function liveDelays(all: readonly BrokerQueue[]): LiveDelay[] {
  const levels = new Map<string, number>();
  const add = (name: string, waiting: number) => levels.set(name, (levels.get(name) ?? 0) + waiting);
  for (const { name, waiting } of all) {
    const [seconds] = retriedQueue(name) === undefined ? [] : (/\d+s$/.exec(name) ?? []);
    if (seconds !== undefined) add(`retry ${seconds}`, waiting);
  }
  for (let level = 0; level < delayLevels; level += 1) {
    const found = all.find(({ name }) => name === delayLevel(level));
    if (found) add(found.name, found.waiting);
  }
  return [...levels].map(([name, waiting]) => ({ name, waiting }));
}

/** The queue whose messages wait in a retry queue; undefined for any other queue. */
function retriedQueue(name: string): string | undefined {
  const owner = /^(.+)\.retry\.\d+s$/s.exec(name)?.[1];
  return owner !== undefined && isRetryQueueOf(owner, name) ? owner : undefined;
}

/** Queues of this package, and the temporary queues of clients. */
const isInternal = (name: string): boolean =>
  name === deadLetters ||
  name.startsWith('warren.') ||
  name.startsWith('amq.') ||
  isDelayQueue(name) ||
  retriedQueue(name) !== undefined;
