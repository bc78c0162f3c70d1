import { eventFor } from '../base/unencoded.ts';
import { deliveredEvent } from '../messages/delivered.ts';
import type { RabbitMQEvent } from '../messages/event.ts';
import { failuresIn } from '../messages/plain-failures.ts';
import { backoff, pause } from './backoff.ts';
import type { CallConditions, Called, CallOptions } from './call.ts';
import { type Batch, idsOf } from './delivery-buffer.ts';
import { hasExpired } from './expiring.ts';
import { FunctionUnavailableError, HostUnavailableError, NotBegunError } from './invoke.ts';
import { isLimited } from './limited/is-limited.ts';
import { isNearLimit } from './set-back.ts';

/**
 * Milliseconds for which more than one message is held for an unavailable host. A throttle of Lambda usually ends sooner; in
 * a longer outage each message that is held would be one more delivery.
 */
const narrowAfterMs = 2000;

/**
 * A call of a function with a batch, which is made again while its host is unavailable. With callbacks, because an `async` function
 * keeps all that it has at each `await`.
 */
export class BatchCall {
  readonly #options: CallOptions;
  readonly #batch: Batch;
  readonly #conditions: CallConditions;
  readonly #startedAt = performance.now();
  #event: RabbitMQEvent | undefined;
  #tries = 1;

  constructor(options: CallOptions, batch: Batch, conditions: CallConditions) {
    this.#options = options;
    this.#batch = batch;
    this.#conditions = conditions;
  }

  /** Makes the call, or waits for the one that was sent ahead. Called once. */
  begin(): Promise<Called> {
    const { observer, mapping, callWithinMs } = this.#options;
    const { sent, since } = this.#batch;
    observer.calls?.(mapping, 1);
    // It waited for the calls before it. RabbitMQ would take it back during its own call, and its work would be done twice.
    const isLate = !sent && this.#startedAt - since > callWithinMs;
    return isLate ? Promise.resolve(this.#ended(kept)) : this.#make(sent);
  }

  #make(sent?: Promise<unknown>): Promise<Called> {
    try {
      return (sent ?? this.#invoke()).then(
        (result) => this.#returned(result),
        (error: unknown) => this.#failed(error),
      );
    } catch (error) {
      return this.#failed(error);
    }
  }

  #invoke(): Promise<unknown> {
    const { invoke, mapping } = this.#options;
    this.#event ??= eventFor(invoke, deliveredEvent(mapping, this.#batch.deliveries));
    return invoke(this.#event);
  }

  #returned(result: unknown): Called | Promise<Called> {
    try {
      const failures = failuresIn(this.#options.mapping, this.#batch.deliveries, result);
      this.#conditions.outage.tries = 0;
      return this.#ended({ outcome: 'done', failures });
    } catch (error) {
      return this.#failed(error);
    }
  }

  async #failed(error: unknown): Promise<Called> {
    const called = await this.#afterError(error);
    if (called) return this.#ended(called);
    this.#tries += 1;
    return this.#make();
  }

  /** Reports the end of the call. */
  #ended(called: Called): Called {
    const { observer, mapping, log } = this.#options;
    const { deliveries } = this.#batch;
    observer.calls?.(mapping, -1);
    const { outcome, failures } = called;
    if (outcome === 'again') return called;
    const messages = deliveries.length;
    const ms = this.#ms();
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
  async #afterError(error: unknown): Promise<Called | undefined> {
    const { log, mapping, maxHoldMs, callWithinMs } = this.#options;
    const { deliveries, since } = this.#batch;
    const { outage, isProbe, ended } = this.#conditions;
    if (error instanceof NotBegunError) return ended.aborted ? kept : again;
    const fields = { function: mapping.functionName, queue: mapping.queue, messageIds: idsOf(deliveries) };
    // A dependency of the function may be unavailable for one message only, so each message is judged by itself.
    if (!(error instanceof HostUnavailableError) || error instanceof FunctionUnavailableError) {
      log.error({ ...fields, ms: Math.round(this.#ms()), err: error }, 'batch failed');
      outage.tries = 0;
      return { outcome: 'failed', failures: none, error };
    }
    outage.tries += 1;
    if (this.#tries === 1) log.warn({ ...fields, err: error }, 'host unavailable, keeping the batch');
    // A later call has to wait until the limit allows it.
    if (deliveries.some(isNearLimit) || isLimited(mapping)) return kept;
    const wait = backoff(outage.tries, 100, 30_000);
    const now = performance.now();
    const tooLong =
      now - since + wait > Math.min(maxHoldMs, callWithinMs) ||
      (!isProbe && now - this.#startedAt + wait > narrowAfterMs);
    if (tooLong) return kept;
    await pause(wait, ended);
    if (ended.aborted) return kept;
    return deliveries.some(hasExpired) ? again : undefined;
  }

  /** Milliseconds that it took. */
  #ms(): number {
    return this.#batch.sentMs ?? performance.now() - this.#startedAt;
  }
}

const none: Called['failures'] = new Map();
const kept: Called = { outcome: 'kept', failures: none };
const again: Called = { outcome: 'again', failures: none };
