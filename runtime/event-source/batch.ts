import type { ConsumeMessage } from 'amqplib';
import type { PublisherLike } from '../amqp/publisher.ts';
import { doneWithin } from '../base/deadline.ts';
import { RejectedError } from '../base/errors.ts';
import { failureOf } from '../messages/plain-failures.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import { backoff } from './backoff.ts';
import { type CallOptions, callFunction, type Outage, type Outcome } from './call.ts';
import { type Copying, publishCopy } from './copy.ts';
import { type Batch, idsOf } from './delivery-buffer.ts';
import { encodedSize } from './encoded-size.ts';
import { hasExpired } from './expiring.ts';
import { KnownCopies } from './known-copies.ts';
import { refusalOf } from './oversized.ts';
import type { QueueDelay } from './queue-delay.ts';
import type { Subscription } from './subscription.ts';

export interface BatchOptions extends CallOptions {
  /** Publishes the messages that no call can carry as dead letters. */
  publisher: PublisherLike;
  queueDelay: QueueDelay;
}

/** Milliseconds for which the messages behind a failed one wait for the confirm of its copy. */
const openAfterMs = 1000;

/** Calls the function with batches, and settles their messages by what became of the call. */
export class BatchRunner {
  readonly copies = new KnownCopies();
  readonly #options: BatchOptions;
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
    const { deliveries, since, sent } = batch;
    if (sent || (this.copies.hasNone(deliveries) && !deliveries.some(hasExpired)))
      return this.#run(subscription, batch);
    const { known, unconfirmed } = await this.copies.knownIn(deliveries, subscription.ended);
    const isOpen = (delivery: ConsumeMessage) => !known.has(delivery) && !unconfirmed.has(delivery);
    const expired = deliveries.filter((delivery) => isOpen(delivery) && hasExpired(delivery));
    if (known.size + unconfirmed.size + expired.length === 0) return this.#run(subscription, batch);
    this.#drop(subscription, [...known], 'copies known already');
    this.#drop(subscription, expired, 'messages expired');
    const again = [...unconfirmed].map(([delivery, open]) => ({ ...open, delivery, since }));
    await this.#copyEach(subscription, again);
    const left = deliveries.filter((delivery) => isOpen(delivery) && !expired.includes(delivery));
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
      await this.#refuse(subscription, batch, refusal);
      return 'refused';
    }
    const { outcome, failures, error } = await callFunction(this.#options, batch, {
      outage: this.#outage,
      isProbe: subscription.holdsOne() || this.#options.mapping.singleActiveConsumer === true,
      ended,
    });
    if (outcome === 'kept') return 'kept';
    if (outcome === 'again') return this.run(subscription, { ...batch, sent: undefined });
    subscription.uncalled.called(batch.deliveries);
    if (outcome === 'failed') return this.#failed(subscription, batch, error);
    if (failures.size > 0 || subscription.copies.size > 0) return this.#settle(subscription, batch, failures);
    for (const delivery of batch.deliveries) this.copies.settle(delivery);
    // The channel has one call at a time and no message waits for its copy, so that all older deliveries are done as well.
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
      this.copies.settle(delivery);
      acknowledger.one(delivery);
    });
    const copies = [...failures].flatMap(([index, failure]) => {
      const delivery = deliveries[index] as ConsumeMessage;
      const isReturned = this.#options.queueDelay.retry(subscription, delivery, failure);
      return isReturned ? [] : [{ delivery, failure, since }];
    });
    await this.#copyEach(subscription, copies);
    return 'done';
  }

  /** Copies messages. Those behind a message whose copy is not confirmed soon do not wait for it, unless the queue keeps its order. */
  async #copyEach(subscription: Subscription, copies: readonly Copying[]): Promise<void> {
    if (copies.length === 0) return;
    subscription.uncalled.called(copies.map(({ delivery }) => delivery));
    const running = copies.map((each) => this.#copy(subscription, each));
    for (const copy of running) subscription.copies.add(copy);
    const copied = Promise.all(running);
    const { singleActiveConsumer } = this.#options.mapping;
    if (await doneWithin(copied, singleActiveConsumer ? undefined : openAfterMs)) return;
    await subscription.renew();
    await subscription.copies.room();
  }

  async #copy(subscription: Subscription, copying: Copying): Promise<void> {
    const { acknowledger, copies } = subscription;
    const own = { ...this.#options, copies: this.copies };
    const copied = await publishCopy(own, subscription, copying, copies.ended);
    // At once: a call that is in flight acknowledges all older deliveries when no copy is open.
    if (copied === 'kept' && !copies.isLeaving)
      this.#options.queueDelay.giveBack(acknowledger, copying.delivery);
    if (copied !== 'copied') return;
    this.copies.settle(copying.delivery);
    acknowledger.one(copying.delivery);
  }

  async #failed(subscription: Subscription, batch: Batch, error: unknown): Promise<Outcome> {
    const { deliveries, since } = batch;
    if (deliveries.length === 1) {
      if (subscription.closed.aborted) return 'kept';
      const [only] = deliveries as [ConsumeMessage];
      await this.#settle(subscription, batch, new Map([[0, failureOf(this.#options.mapping, only, error)]]));
      return 'failed';
    }
    if (this.#options.mapping.limit) {
      // Each call needs a token. They come again as redelivered messages, each of which has a call of its own.
      for (const each of deliveries) this.#options.queueDelay.giveBack(subscription.acknowledger, each);
      return 'failed';
    }
    for (const delivery of deliveries) {
      // Stopped, or the broker has them again: a message that was not called alone yet goes back.
      if (subscription.ended.aborted) return 'kept';
      const one = { deliveries: [delivery], bytes: encodedSize(delivery), since };
      if ((await this.run(subscription, one)) === 'kept') return 'kept';
    }
    return 'failed';
  }

  /** Dead-letters a message unread. */
  async #refuse(subscription: Subscription, batch: Batch, reason: string): Promise<void> {
    const { mapping, log, observer } = this.#options;
    const [delivery] = batch.deliveries as [ConsumeMessage];
    const error = new RejectedError(reason);
    await this.#settle(subscription, batch, new Map([[0, failureOf(mapping, delivery, error)]]));
    const fields = { queue: mapping.queue, messageIds: idsOf([delivery]), err: error };
    log.error(fields, 'message was dead-lettered');
    observer.setAside?.(mapping);
  }
}
