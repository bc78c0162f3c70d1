import type { ConsumeMessage } from 'amqplib';
import { doneWithin } from '../base/deadline.ts';
import { RejectedError } from '../base/errors.ts';
import { failureOf } from '../messages/plain-failures.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import { backoff } from './backoff.ts';
import { BatchCall } from './batch-call.ts';
import type { BatchOptions, Called, Outage } from './call.ts';
import { type Copying, publishCopy } from './copy.ts';
import { type Batch, idsOf } from './delivery-buffer.ts';
import { encodedSize } from './encoded-size.ts';
import { hasExpired } from './expiring.ts';
import { KnownCopies } from './known-copies.ts';
import type { Outcome } from './observer.ts';
import { refusalOf } from './oversized.ts';
import type { Subscription } from './subscription.ts';

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
    return this.#outage.tries === 0 ? 0 : backoff(this.#outage.tries, 100, 30_000);
  }

  /**
   * Calls the function and acknowledges the batch when the call succeeds. A batch that fails is called again message by message;
   * a message that fails alone is retried or dead-lettered by the policy of its queue, and the next one is called at once. A copy
   * that was published twice is dropped, a message whose copy is confirmed after all is not called again, and neither is one that
   * has expired.
   */
  run(subscription: Subscription, batch: Batch): Promise<Outcome> {
    const isPlain =
      batch.sent || (this.copies.hasNone(batch.deliveries) && !batch.deliveries.some(hasExpired));
    return isPlain ? this.#run(subscription, batch) : this.#runOpen(subscription, batch);
  }

  /** Runs the messages that need a call. */
  async #runOpen(subscription: Subscription, batch: Batch): Promise<Outcome> {
    const { deliveries, since } = batch;
    const { known, unconfirmed } = await this.copies.knownIn(deliveries, subscription.ended);
    const open = deliveries.filter((delivery) => !known.has(delivery) && !unconfirmed.has(delivery));
    const expired = open.filter(hasExpired);
    if (known.size + unconfirmed.size + expired.length === 0) return this.#run(subscription, batch);
    this.#drop(subscription, [...known], 'copies known already');
    this.#drop(subscription, expired, 'messages expired');
    const again = [...unconfirmed].map(([delivery, open]) => ({ ...open, delivery, since }));
    await this.#copyEach(subscription, again);
    const left = open.filter((delivery) => !expired.includes(delivery));
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

  #run(subscription: Subscription, batch: Batch): Promise<Outcome> {
    const { mapping } = this.#options;
    const [first, second] = batch.deliveries;
    // A message that exceeds a limit is a batch of its own.
    const refusal = first && !second && refusalOf(mapping, first, batch.bytes);
    if (refusal) return this.#refuse(subscription, batch, refusal);
    const isProbe = subscription.holdsOne() || mapping.singleActiveConsumer === true;
    const conditions = { outage: this.#outage, isProbe, ended: subscription.ended };
    const settle = (called: Called) => this.#settleCall(subscription, batch, called);
    return new BatchCall(this.#options, batch, conditions).begin().then(settle);
  }

  #settleCall(subscription: Subscription, batch: Batch, called: Called): Outcome | Promise<Outcome> {
    const { outcome, failures, error } = called;
    if (outcome === 'kept') return 'kept';
    if (outcome === 'again') return this.run(subscription, { ...batch, sent: undefined });
    subscription.uncalled.called(batch.deliveries);
    if (outcome === 'failed') return this.#failed(subscription, batch, error);
    if (failures.size > 0 || subscription.copies.size > 0) return this.#settle(subscription, batch, failures);
    for (const delivery of batch.deliveries) this.copies.settle(delivery);
    // The channel has one call at a time and no message waits for its copy, so all older deliveries are done as well.
    subscription.acknowledger.done(batch.deliveries);
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
    const { mapping } = this.#options;
    const { deliveries, since } = batch;
    if (deliveries.length === 1) {
      if (subscription.closed.aborted) return 'kept';
      const failure = failureOf(mapping, deliveries[0] as ConsumeMessage, error);
      await this.#settle(subscription, batch, new Map([[0, failure]]));
      return 'failed';
    }
    if (mapping.limit) {
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
  async #refuse(subscription: Subscription, batch: Batch, reason: string): Promise<'refused'> {
    const { mapping, log, observer } = this.#options;
    const [delivery] = batch.deliveries as [ConsumeMessage];
    const error = new RejectedError(reason);
    await this.#settle(subscription, batch, new Map([[0, failureOf(mapping, delivery, error)]]));
    log.error(
      { queue: mapping.queue, messageIds: idsOf([delivery]), err: error },
      'message was dead-lettered',
    );
    observer.setAside?.(mapping);
    return 'refused';
  }
}
