import type { ConsumeMessage } from 'amqplib';
import type { Mapping } from './mapping.ts';
import type { KeyCounts } from './ordered/key-counts.ts';

/**
 * The outcome of a call; `kept` if it never reached the function and the messages have to go back, `refused` if a message fits
 * no call or needs none.
 */
export type Outcome = 'done' | 'failed' | 'kept' | 'refused';

/** A call that has ended. */
export interface EndedCall {
  messages: number;
  redelivered: number;
  ms: number;
  outcome: Outcome;
  /** Headers of its first message. */
  headers?: Readonly<Record<string, unknown>> | undefined;
}

/** Is notified of what a poller does, for metrics; its methods must not throw. */
export interface Observer {
  /** A subscription stands (1) or has ended (-1). */
  consumers?(mapping: Mapping, change: 1 | -1): void;
  /** A call is made (1) or has ended (-1). */
  calls?(mapping: Mapping, change: 1 | -1): void;
  /** Messages were taken from the queue, and their first call begins. */
  taken?(mapping: Mapping, deliveries: readonly ConsumeMessage[]): void;
  /** A call has ended. */
  batch?(mapping: Mapping, batch: EndedCall): void;
  /** A message matched no filter pattern and was acknowledged. */
  filtered?(mapping: Mapping): void;
  /** A consumer waits for the limit of its queue (1), or does not any more (-1). */
  limited?(mapping: Mapping, change: 1 | -1): void;
  /**
   * The partitions of a mapping are consumed.
   *
   * @param read returns the keys in hand of each partition.
   * @returns a function that ends it.
   */
  keys?(mapping: Mapping, read: () => KeyCounts[]): () => void;
  /** A message that fits no call was dead-lettered. */
  setAside?(mapping: Mapping): void;
}
