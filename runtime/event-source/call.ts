import type { ConsumeMessage } from 'amqplib';
import type { Log } from '../base/log.ts';
import { eventFor } from '../base/unencoded.ts';
import { deliveredEvent } from '../messages/delivered.ts';
import type { RabbitMQEvent } from '../messages/event.ts';
import { failuresIn } from '../messages/plain-failures.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import { backoff, pause } from './backoff.ts';
import { type Batch, idsOf } from './delivery-buffer.ts';
import { hasExpired } from './expiring.ts';
import { FunctionUnavailableError, HostUnavailableError, type Invoke, NotBegunError } from './invoke.ts';
import { isLimited } from './limited/is-limited.ts';
import type { Mapping } from './mapping.ts';
import { isNearLimit } from './set-back.ts';

/**
 * The outcome of a call; `kept` if it never reached the function and the messages have to go back, `refused` if a message fits
 * no call or needs none.
 */
export type Outcome = 'done' | 'failed' | 'kept' | 'refused';

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

/**
 * Milliseconds for which more than one message is held for an unavailable host. A throttle of Lambda usually ends sooner; in
 * a longer outage each message that is held would be one more delivery.
 */
const narrowAfterMs = 2000;

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
  /** A message that fits no call was dead-lettered. */
  setAside?(mapping: Mapping): void;
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

/** Calls a function with a batch, and again while its host is unavailable. */
export async function callFunction(
  options: CallOptions,
  batch: Batch,
  conditions: CallConditions,
): Promise<Called> {
  const { observer, mapping } = options;
  const startedAt = performance.now();
  observer.calls?.(mapping, 1);
  const called = await callUntilAvailable(options, batch, conditions);
  observer.calls?.(mapping, -1);
  const { outcome } = called;
  if (outcome === 'again') return called;
  const { deliveries } = batch;
  const redelivered = deliveries.filter(({ fields }) => fields.redelivered).length;
  const ms = batch.sentMs ?? performance.now() - startedAt;
  observer.batch?.(mapping, {
    messages: deliveries.length,
    redelivered,
    ms,
    outcome,
    headers: deliveries[0]?.properties.headers,
  });
  return called;
}

async function callUntilAvailable(
  { invoke, log, mapping, maxHoldMs, callWithinMs }: CallOptions,
  batch: Batch,
  { outage, isProbe, ended }: CallConditions,
): Promise<Called> {
  const { functionName, queue } = mapping;
  const { deliveries, since, sent } = batch;
  let event: RabbitMQEvent | undefined;
  const make = () => {
    event ??= eventFor(invoke, deliveredEvent(mapping, deliveries));
    return invoke(event);
  };
  const startedAt = performance.now();
  const ms = () => Math.round(batch.sentMs ?? performance.now() - startedAt);
  // It waited for the calls before it. RabbitMQ would take it back during its own call, and its work would be done twice.
  if (!sent && startedAt - since > callWithinMs) return { outcome: 'kept', failures: none };
  for (let tries = 1; ; tries += 1) {
    try {
      const failures = failuresIn(mapping, deliveries, await ((tries === 1 && sent) || make()));
      outage.tries = 0;
      log.info(
        {
          function: functionName,
          queue,
          messages: deliveries.length,
          ...(failures.size > 0 && { failed: failures.size }),
          messageIds: idsOf(deliveries),
          ms: ms(),
        },
        'batch done',
      );
      return { outcome: 'done', failures };
    } catch (error) {
      if (error instanceof NotBegunError)
        return { outcome: ended.aborted ? 'kept' : 'again', failures: none };
      const messageIds = idsOf(deliveries);
      // A dependency of the function may be unavailable for one message only, so each message is judged by itself.
      if (!(error instanceof HostUnavailableError) || error instanceof FunctionUnavailableError) {
        log.error({ function: functionName, queue, messageIds, ms: ms(), err: error }, 'batch failed');
        outage.tries = 0;
        return { outcome: 'failed', failures: none, error };
      }
      outage.tries += 1;
      const fields = { function: functionName, queue, messageIds, err: error };
      if (tries === 1) log.warn(fields, 'host unavailable, keeping the batch');
      // A later call has to wait until the limit allows it.
      if (deliveries.some(isNearLimit) || isLimited(mapping)) return { outcome: 'kept', failures: none };
      const wait = backoff(outage.tries, 100, 30_000);
      const now = performance.now();
      const tooLong =
        now - since + wait > Math.min(maxHoldMs, callWithinMs) ||
        (!isProbe && now - startedAt + wait > narrowAfterMs);
      if (tooLong) return { outcome: 'kept', failures: none };
      await pause(wait, ended);
      if (ended.aborted) return { outcome: 'kept', failures: none };
      if (deliveries.some(hasExpired)) return { outcome: 'again', failures: none };
    }
  }
}

const none: ReadonlyMap<number, ItemFailure> = new Map();
