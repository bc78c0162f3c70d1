import type { PublisherLike } from '../amqp/publisher.ts';
import type { Log } from '../base/log.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import type { Invoke } from './invoke.ts';
import type { Mapping } from './mapping.ts';
import type { Observer, Outcome } from './observer.ts';
import type { QueueDelay } from './queue-delay.ts';

/** A call with its outcome, and the function's verdicts by the index of their delivery. */
export interface Called {
  /** `again` if a message expired before a further try and has to leave the batch, or if a call that was sent ahead has not begun. */
  outcome: Outcome | 'again';
  failures: ReadonlyMap<number, ItemFailure>;
  /** Why it failed. */
  error?: unknown;
}

/** The time for which the host has been unavailable, over several batches and subscriptions. */
export interface Outage {
  /** Calls in a row that did not reach the function. */
  tries: number;
}

/** What a call may rely on. */
export interface CallConditions {
  outage: Outage;
  /** Whether the consumer holds nothing but this batch's only message. */
  isProbe: boolean;
  /**
   * Aborted when the poller stops, or when the broker has the batch again: a call in flight continues, another is not made.
   */
  ended: AbortSignal;
}

export interface CallOptions {
  mapping: Mapping;
  invoke: Invoke;
  log: Log;
  observer: Observer;
  /** Milliseconds for which a delivery may be held. */
  maxHoldMs: number;
  /** Milliseconds from a delivery until its call begins, at most. */
  callWithinMs: number;
}

export interface BatchOptions extends CallOptions {
  /** Publishes the messages that no call can carry as dead letters. */
  publisher: PublisherLike;
  queueDelay: QueueDelay;
}
