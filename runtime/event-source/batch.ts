import type { ConsumeMessage } from 'amqplib';
import type { PublisherLike } from '../amqp/publisher.ts';
import { RejectedError } from '../base/errors.ts';
import { failureOf } from '../messages/plain-failures.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import { backoff } from './backoff.ts';
import { type CallOptions, callFunction, idsOf, type Outage, type Outcome } from './call.ts';
import { publishCopy } from './copy.ts';
import { type Batch, encodedSize } from './delivery-buffer.ts';
import { hasExpired } from './expiring.ts';
import { fileDeadLetter, rejection } from './file-dead-letter.ts';
import { KnownCopies } from './known-copies.ts';
import { refusalOf } from './oversized.ts';
import type { QueueDelay } from './queue-delay.ts';
import type { Subscription } from './subscription.ts';

export interface BatchOptions extends CallOptions {
  /** Publishes the messages that no call can carry as dead letters. */
  publisher: PublisherLike;
  queueDelay: QueueDelay;
}

/** Calls the function with batches, and settles their messages by what became of the call. */
export class BatchRunner {
  readonly #options: BatchOptions;
  readonly #copies = new KnownCopies();
  readonly #outage: Outage = { tries: 0 };

  constructor(options: BatchOptions) {
    this.#options = options;
  }

  /** Milliseconds to wait before the next subscription, 0 while the host is available. */
  get pauseMs(): number {
    const { tries } = this.#outage;
    return tries === 0 ? 0 : backoff(tries, 100, 30_000);
  }

  /**
   * Calls the function and acknowledges the batch when the call succeeds. A batch that fails is called again message by message;
   * a message that fails alone is retried or dead-lettered by the policy of its queue, and the next one is called at once. A copy
   * that was published twice is dropped, a message whose copy is confirmed after all is not called again, and neither is one that
   * has expired.
   */
  async run(subscription: Subscription, batch: Batch): Promise<Outcome> {
    const { deliveries } = batch;
    const known = await this.#copies.knownIn(deliveries, subscription.ended);
    const expired = deliveries.filter((delivery) => !known.has(delivery) && hasExpired(delivery));
    if (known.size + expired.length === 0) return this.#run(subscription, batch);
    this.#drop(subscription, [...known], 'copies known already');
    this.#drop(subscription, expired, 'messages expired');
    const left = deliveries.filter((delivery) => !known.has(delivery) && !expired.includes(delivery));
    if (left.length === 0) return 'refused';
    const bytes = left.reduce((sum, delivery) => sum + encodedSize(delivery), 0);
    return this.#run(subscription, { ...batch, deliveries: left, bytes });
  }

  /** Acknowledges messages that need no call. */
  #drop(subscription: Subscription, deliveries: readonly ConsumeMessage[], reason: string): void {
    if (deliveries.length === 0) return;
    subscription.uncalled.called(deliveries);
    for (const delivery of deliveries) subscription.acknowledger.one(delivery);
    this.#options.log.info({ queue: this.#options.mapping.queue, messageIds: idsOf(deliveries) }, reason);
  }

  async #run(subscription: Subscription, batch: Batch): Promise<Outcome> {
    const { acknowledger, ended } = subscription;
    const last = batch.deliveries.at(-1) as ConsumeMessage;
    // A message that exceeds a limit is a batch of its own.
    const refusal =
      batch.deliveries.length === 1 ? refusalOf(this.#options.mapping, last, batch.bytes) : undefined;
    if (refusal !== undefined) {
      subscription.uncalled.called(batch.deliveries);
      await this.#deadLetter(last, refusal);
      acknowledger.done(batch.deliveries);
      return 'refused';
    }
    const { outcome, failures, error } = await callFunction(this.#options, batch, {
      outage: this.#outage,
      isProbe: subscription.holdsOne() || this.#options.mapping.singleActiveConsumer === true,
      ended,
    });
    if (outcome === 'kept') return 'kept';
    if (outcome === 'expired') return this.run(subscription, batch);
    subscription.uncalled.called(batch.deliveries);
    if (outcome === 'failed') return this.#failed(subscription, batch, error);
    if (failures.size > 0) return this.#settle(subscription, batch, failures);
    for (const delivery of batch.deliveries) this.#copies.settle(delivery);
    // The channel has one call at a time, so that all older deliveries are done as well.
    acknowledger.done(batch.deliveries);
    return 'done';
  }

  /** Acknowledges each message on its own verdict: one that failed when its copy is safe or not needed, the others at once. */
  async #settle(
    subscription: Subscription,
    { deliveries, since }: Batch,
    failures: ReadonlyMap<number, ItemFailure>,
  ): Promise<Outcome> {
    const { acknowledger } = subscription;
    deliveries.forEach((delivery, index) => {
      if (failures.has(index)) return;
      this.#copies.settle(delivery);
      acknowledger.one(delivery);
    });
    const copies = [...failures].map(async ([index, failure]) => {
      const delivery = deliveries[index] as ConsumeMessage;
      if (this.#options.queueDelay.retry(subscription, delivery, failure)) return 'returned';
      const copied = await publishCopy(
        { ...this.#options, copies: this.#copies },
        subscription,
        delivery,
        failure,
        since,
      );
      if (copied !== 'copied') return copied;
      this.#copies.settle(delivery);
      acknowledger.one(delivery);
      return copied;
    });
    const kept = (await Promise.all(copies)).includes('kept');
    return kept ? 'kept' : 'done';
  }

  async #failed(subscription: Subscription, batch: Batch, error: unknown): Promise<Outcome> {
    const { closed, ended } = subscription;
    const { deliveries, since } = batch;
    const [only] = deliveries;
    if (only && deliveries.length === 1) {
      if (closed.aborted) return 'kept';
      const failure = failureOf(this.#options.mapping, only, error);
      const settled = await this.#settle(subscription, batch, new Map([[0, failure]]));
      return settled === 'kept' ? 'kept' : 'failed';
    }
    for (const delivery of deliveries) {
      // Stopped, or the broker has them again: a message that was not called alone yet goes back.
      if (ended.aborted) return 'kept';
      const one = { deliveries: [delivery], bytes: encodedSize(delivery), since };
      if ((await this.run(subscription, one)) === 'kept') return 'kept';
    }
    return 'failed';
  }

  /** Dead-letters a message unread. */
  async #deadLetter(delivery: ConsumeMessage, reason: string): Promise<void> {
    const { mapping, log, observer } = this.#options;
    const { messageId } = delivery.properties;
    const error = new RejectedError(reason);
    await fileDeadLetter(this.#options, delivery, rejection(error));
    log.error({ queue: mapping.queue, messageId, err: error }, 'message was dead-lettered');
    observer.setAside?.(mapping);
  }
}
