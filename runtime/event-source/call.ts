import type { PublisherLike } from '../amqp/publisher.ts';
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
import type { Observer, Outcome } from './observer.ts';
import type { QueueDelay } from './queue-delay.ts';
import { isNearLimit } from './set-back.ts';

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

/** Calls a function with a batch, and again while its host is unavailable. */
export async function callFunction(
  options: CallOptions,
  batch: Batch,
  conditions: CallConditions,
): Promise<Called> {
  const { invoke, mapping, callWithinMs, observer } = options;
  const { deliveries, since, sent } = batch;
  const startedAt = performance.now();
  observer.calls?.(mapping, 1);
  // It waited for the calls before it. RabbitMQ would take it back during its own call, and its work would be done twice.
  if (!sent && startedAt - since > callWithinMs) return ended(options, batch, startedAt, kept);
  let event: RabbitMQEvent | undefined;
  const make = () => {
    event ??= eventFor(invoke, deliveredEvent(mapping, deliveries));
    return invoke(event);
  };
  for (let tries = 1; ; tries += 1) {
    let called: Called | undefined;
    try {
      const result = await ((tries === 1 && sent) || make());
      called = { outcome: 'done', failures: failuresIn(mapping, deliveries, result) };
      conditions.outage.tries = 0;
    } catch (error) {
      called = await afterError(options, batch, conditions, { error, tries, startedAt });
    }
    if (called) return ended(options, batch, startedAt, called);
  }
}

/** Reports the end of a call. */
function ended(
  { observer, mapping, log }: CallOptions,
  batch: Batch,
  startedAt: number,
  called: Called,
): Called {
  observer.calls?.(mapping, -1);
  const { outcome, failures } = called;
  if (outcome === 'again') return called;
  const { deliveries } = batch;
  const messages = deliveries.length;
  const ms = batch.sentMs ?? performance.now() - startedAt;
  if (outcome === 'done') {
    const failed = failures.size > 0 && { failed: failures.size };
    const fields = { messages, ...failed, messageIds: idsOf(deliveries), ms: Math.round(ms) };
    log.info({ function: mapping.functionName, queue: mapping.queue, ...fields }, 'batch done');
  }
  let redelivered = 0;
  for (const { fields } of deliveries) if (fields.redelivered) redelivered += 1;
  const { headers } = deliveries[0]?.properties ?? {};
  observer.batch?.(mapping, { messages, redelivered, ms, outcome, headers });
  return called;
}

/** Decides what becomes of a batch whose call failed; undefined if it is called again. */
async function afterError(
  { log, mapping, maxHoldMs, callWithinMs }: CallOptions,
  { deliveries, since, sentMs }: Batch,
  { outage, isProbe, ended }: CallConditions,
  { error, tries, startedAt }: { error: unknown; tries: number; startedAt: number },
): Promise<Called | undefined> {
  if (error instanceof NotBegunError) return ended.aborted ? kept : again;
  const fields = { function: mapping.functionName, queue: mapping.queue, messageIds: idsOf(deliveries) };
  // A dependency of the function may be unavailable for one message only, so each message is judged by itself.
  if (!(error instanceof HostUnavailableError) || error instanceof FunctionUnavailableError) {
    const ms = Math.round(sentMs ?? performance.now() - startedAt);
    log.error({ ...fields, ms, err: error }, 'batch failed');
    outage.tries = 0;
    return { outcome: 'failed', failures: none, error };
  }
  outage.tries += 1;
  if (tries === 1) log.warn({ ...fields, err: error }, 'host unavailable, keeping the batch');
  // A later call has to wait until the limit allows it.
  if (deliveries.some(isNearLimit) || isLimited(mapping)) return kept;
  const wait = backoff(outage.tries, 100, 30_000);
  const now = performance.now();
  const tooLong =
    now - since + wait > Math.min(maxHoldMs, callWithinMs) ||
    (!isProbe && now - startedAt + wait > narrowAfterMs);
  if (tooLong) return kept;
  await pause(wait, ended);
  if (ended.aborted) return kept;
  return deliveries.some(hasExpired) ? again : undefined;
}

const none: ReadonlyMap<number, ItemFailure> = new Map();
const kept: Called = { outcome: 'kept', failures: none };
const again: Called = { outcome: 'again', failures: none };
