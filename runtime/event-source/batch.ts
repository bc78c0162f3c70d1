import type { ConsumeMessage } from 'amqplib';
import type { PublisherLike } from '../amqp/publisher.ts';
import { RejectedError } from '../base/errors.ts';
import { receivedMessage } from '../messages/host-copy.ts';
import { sendToDeadLetters } from '../messages/republish.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import { backoff, pause } from './backoff.ts';
import { type CallOptions, callFunction, type Outcome } from './call.ts';
import { publishCopy } from './copy.ts';
import { type Batch, encodedSize } from './delivery-buffer.ts';
import { KnownCopies } from './known-copies.ts';
import { maxEventBytes, type Subscription } from './subscription.ts';

export interface BatchOptions extends CallOptions {
  /** Publishes the messages that no call can carry as dead letters. */
  publisher: PublisherLike;
}

/** Calls the function with batches, and settles their messages by what became of the call. */
export class BatchRunner {
  readonly #options: BatchOptions;
  readonly #copies = new KnownCopies();
  /** Calls in a row that failed with a single message. */
  #failures = 0;

  constructor(options: BatchOptions) {
    this.#options = options;
  }

  /**
   * Calls the function and acknowledges the batch when the call succeeds. A batch that fails is called again message by message;
   * a message that fails alone is rejected, so that the broker counts its delivery and not those of its neighbors. A copy that
   * was published twice is dropped, and a message whose copy is confirmed after all is not called again.
   */
  async run(subscription: Subscription, batch: Batch): Promise<Outcome> {
    const known = await this.#copies.knownIn(batch.deliveries, subscription.ended);
    if (known.size === 0) return this.#run(subscription, batch);
    for (const delivery of known) subscription.acknowledger.one(delivery);
    const messageIds = [...known].map(({ properties }) => properties.messageId as unknown);
    this.#options.log.info({ queue: this.#options.mapping.queue, messageIds }, 'copies known already');
    const deliveries = batch.deliveries.filter((delivery) => !known.has(delivery));
    if (deliveries.length === 0) return 'done';
    const bytes = deliveries.reduce((sum, delivery) => sum + encodedSize(delivery), 0);
    return this.#run(subscription, { ...batch, deliveries, bytes });
  }

  async #run(subscription: Subscription, batch: Batch): Promise<Outcome> {
    const { acknowledger, ended } = subscription;
    const last = batch.deliveries.at(-1) as ConsumeMessage;
    if (batch.bytes > maxEventBytes) {
      await this.#deadLetter(last);
      acknowledger.done(last);
      return 'done';
    }
    const { outcome, failures } = await callFunction(this.#options, batch, ended);
    if (outcome === 'failed') return this.#failed(subscription, batch);
    if (outcome === 'kept') return 'kept';
    this.#failures = 0;
    if (failures.size > 0) return this.#settle(subscription, batch, failures);
    for (const delivery of batch.deliveries) this.#copies.settle(delivery);
    // The channel has one call at a time, so that all older deliveries are done as well.
    acknowledger.done(last);
    return 'done';
  }

  /** Acknowledges each message on its own verdict: one that failed when its copy is safe, the others at once. */
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

  async #failed(subscription: Subscription, { deliveries, since }: Batch): Promise<Outcome> {
    const { channel, closed, ended } = subscription;
    const [only] = deliveries;
    if (only && deliveries.length === 1) {
      this.#failures += 1;
      await pause(backoff(this.#failures, 50, 1000), ended);
      if (closed.aborted) return 'kept';
      channel.reject(only, true);
      return 'failed';
    }
    for (const delivery of deliveries) {
      // Stopped, or the broker has them again: a message that was not called alone yet goes back.
      if (ended.aborted) return 'kept';
      const one = { deliveries: [delivery], bytes: encodedSize(delivery), since };
      if ((await this.run(subscription, one)) === 'kept') return 'kept';
    }
    return 'failed';
  }

  async #deadLetter(delivery: ConsumeMessage): Promise<void> {
    const { publisher, mapping, log, observer } = this.#options;
    const message = receivedMessage(mapping, delivery);
    const error = new RejectedError(
      `body: expected at most 6 MB in one event, got ${delivery.content.length} bytes`,
    );
    await sendToDeadLetters(publisher, message, error);
    log.warn({ queue: mapping.queue, messageId: message.messageId, err: error }, 'message was dead-lettered');
    observer.setAside?.(mapping);
  }
}
