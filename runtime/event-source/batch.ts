import type { ConsumeMessage } from 'amqplib';
import type { PublisherLike } from '../amqp/publisher.ts';
import { RejectedError } from '../base/errors.ts';
import { toEvent } from '../messages/event.ts';
import { readEvent } from '../messages/received.ts';
import { sendToDeadLetters } from '../messages/republish.ts';
import { backoff, pause } from './backoff.ts';
import { type CallOptions, callFunction, type Outcome } from './call.ts';
import { type Batch, encodedSize } from './delivery-buffer.ts';
import { maxEventBytes, type Subscription } from './subscription.ts';

export interface BatchOptions extends CallOptions {
  /** Publishes the messages that no call can carry as dead letters. */
  publisher: PublisherLike;
}

/** Calls the function with batches, and settles their messages by what became of the call. */
export class BatchRunner {
  readonly #options: BatchOptions;
  /** Calls in a row that failed with a single message. */
  #failures = 0;

  constructor(options: BatchOptions) {
    this.#options = options;
  }

  /**
   * Calls the function and acknowledges the batch when the call succeeds. A batch that fails is called again message by message;
   * a message that fails alone is rejected, so that the broker counts its delivery and not those of its neighbors.
   */
  async run(subscription: Subscription, batch: Batch): Promise<Outcome> {
    const { acknowledger, ended } = subscription;
    const last = batch.deliveries.at(-1) as ConsumeMessage;
    if (batch.bytes > maxEventBytes) {
      await this.#deadLetter(last);
      acknowledger.done(last);
      return 'done';
    }
    const outcome = await callFunction(this.#options, batch, ended);
    if (outcome === 'failed') return this.#failed(subscription, batch);
    if (outcome === 'done') {
      this.#failures = 0;
      // The channel has one call at a time, so that all older deliveries are done as well.
      acknowledger.done(last);
    }
    return outcome;
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
    const [message] = readEvent(toEvent(mapping, [delivery]));
    if (!message) return;
    const error = new RejectedError(
      `body: expected at most 6 MB in one event, got ${delivery.content.length} bytes`,
    );
    await sendToDeadLetters(publisher, message, error);
    log.warn({ queue: mapping.queue, messageId: message.messageId, err: error }, 'message dead-lettered');
    observer.setAside?.(mapping);
  }
}
