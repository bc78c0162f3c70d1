import type { PerKey, RateLimit } from './token-names.ts';

// Separate from the schemas in schema.ts, which a function does not need at its cold start.

/** RabbitMQ's limit for a name, in bytes. */
export const maxNameBytes = 255;

/** The exchange and the queue of dead letters. */
export const deadExchange = 'warren.dead';
export const deadLetters = 'warren.dead-letters';

/**
 * The index of the dead letters: a queue with a copy of each that is not in the index yet, a stream with an entry of each, and a
 * stream with a mark for each that is gone.
 */
export const deadLetterNews = 'warren.dead-letters.index';
export const deadLetterLog = 'warren.dead-letters.log';
export const deadLetterMarks = 'warren.dead-letters.done';

/** The exchange of the copies that wait for a retry; their routing key is the name of their retry queue. */
export const retryExchange = 'warren.retry';

/** The exchange through which copies return from their retry queues. A work queue is bound to it by its name. */
export const homeExchange = 'warren.home';

/** Seconds for which a failed message waits before each retry. */
export const defaultRetryDelays: readonly number[] = [1, 10, 60, 600];

/** Name of the queue in which messages of a work queue wait for their retry. */
export const retryQueue = (queue: string, seconds: number): string => `${queue}.retry.${seconds}s`;

/** Name of one of the queues among which the keys of a queue with `orderBy` are divided. */
export const partitionQueue = (queue: string, index: number): string => `${queue}.${index}`;

/** Name of the queue in which messages of a partition wait whose keys have more than their share. */
export const parkedQueue = (partition: string): string => `${partition}.parked`;

/** Name of the queue without messages whose consumers are the workers of a queue with `orderBy`. */
export const workersQueue = (queue: string): string => `${queue}.workers`;

/** Whether a name is that of a retry queue of `queue`. */
export function isRetryQueueOf(queue: string, name: string | undefined): boolean {
  const [seconds] = /\d+(?=s$)/.exec(name ?? '') ?? [];
  return seconds !== undefined && name === retryQueue(queue, Number(seconds));
}

/**
 * Name of the exchange and the queue in which the messages of all work queues waited before each of them had its own retry
 * queues. They stay at an upgraded broker until an operator removes them.
 */
export const sharedRetryName = (seconds: number): string => `${retryExchange}.${seconds}s`;

/** The kind of a queue: messages that are retried, or calls whose callers wait for a reply. */
export type QueueKind = 'work' | 'rpc';

/** How the keys of a queue are divided. */
export interface KeySettings {
  /** The place of the key in a message. */
  by: string;
  /** Number of queues among which the keys are divided. */
  partitions: number;
  deliveryLimit?: number | undefined;
  /** Limits for each key; undefined if the order of each key is kept. */
  perKey?: PerKey | undefined;
}

/** Settings of a queue's consumer. */
export interface QueueSettings {
  kind: QueueKind;
  /** Seconds. */
  retryDelays: readonly number[];
  /** Seconds. */
  maxAge: number;
  concurrency: number;
  /** Times that a call which was begun before may be made again. */
  redeliveries: number;
  /** Bytes of the body and the headers of a message. */
  maxMessageBytes: number;
  singleActiveConsumer: boolean;
  /** If the queue keeps the order of each key (`orderBy`), or limits for each (`perKey`). */
  order?: KeySettings;
  /** Messages that are handed to the function in a time, by all workers. */
  limit?: RateLimit;
}

/** Bytes of a message that a consumer accepts, 1 MiB. */
export const defaultMessageBytes = 1024 ** 2;
