// Apart from the schemas of topology.ts, which a function doesn't need at its cold start.

/** The exchange and queue that take what can't be worked on. */
export const deadExchange = 'warren.dead';
export const deadLetters = 'warren.dead-letters';

/** Seconds a failed message waits before its next tries. */
export const defaultRetryDelays: readonly number[] = [1, 10, 60, 600];

/** The exchange, and the queue of the same name, in which messages wait. */
export const retryName = (seconds: number): string => `warren.retry.${seconds}s`;

/** What a queue's consumer goes by. */
export interface QueueSettings {
  /** Seconds. */
  retryDelays: readonly number[];
  /** Seconds. */
  maxAge: number;
  concurrency: number;
}
