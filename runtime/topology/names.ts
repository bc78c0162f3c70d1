// Separate from the schemas in schema.ts, which a function does not need at its cold start.

/** The exchange and the queue of dead letters. */
export const deadExchange = 'warren.dead';
export const deadLetters = 'warren.dead-letters';

/** Seconds for which a failed message waits before each retry. */
export const defaultRetryDelays: readonly number[] = [1, 10, 60, 600];

/** Name of the exchange and of the queue in which messages wait for their retry. */
export const retryName = (seconds: number): string => `warren.retry.${seconds}s`;

/** The kind of a queue: messages that are retried, or calls whose callers wait for a reply. */
export type QueueKind = 'work' | 'rpc';

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
}
