// Separate from the schemas in schema.ts, which a function does not need at its cold start.

/** The exchange and the queue of dead letters. */
export const deadExchange = 'warren.dead';
export const deadLetters = 'warren.dead-letters';

/** Seconds for which a failed message waits before each retry. */
export const defaultRetryDelays: readonly number[] = [1, 10, 60, 600];

/** Name of the exchange and of the queue in which messages wait for their retry. */
export const retryName = (seconds: number): string => `warren.retry.${seconds}s`;

/** Settings of a queue's consumer. */
export interface QueueSettings {
  /** Seconds. */
  retryDelays: readonly number[];
  /** Seconds. */
  maxAge: number;
  concurrency: number;
  /** Bytes of the body and the headers of a message. */
  maxMessageBytes: number;
  singleActiveConsumer: boolean;
}

/** Bytes of a message that a consumer accepts, 1 MiB. */
export const defaultMessageBytes = 1024 ** 2;
