import type { ConsumeMessage } from 'amqplib';
import type { PublisherLike } from '../amqp/publisher.ts';
import { RejectedError } from '../base/errors.ts';
import { isMessageFault } from '../messages/batch-call.ts';
import { recordFailure } from '../messages/failure-events.ts';
import { hostCopy, receivedMessage } from '../messages/host-copy.ts';
import { failureOf } from '../messages/plain-failures.ts';
import { CallError, sendReply, toProblem } from '../messages/reply.ts';
import { sendToDeadLetters } from '../messages/republish.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import { backoff, pause } from './backoff.ts';
import { type CallOptions, callFunction, type Outage, type Outcome } from './call.ts';
import { type Batch, encodedSize, maxEventBytes } from './delivery-buffer.ts';
import { maxBytesOf, sizeOf } from './mapping.ts';
import type { Subscription } from './subscription.ts';

export interface BatchOptions extends CallOptions {
  /** Publishes the messages that no call can carry as dead letters. */
  publisher: PublisherLike;
}

/** Calls the function with batches, and settles their messages by what became of the call. */
export class BatchRunner {
  readonly #options: BatchOptions;
  readonly #outage: Outage = { tries: 0 };
  /** Calls in a row that failed with a single message of an RPC queue. */
  #failures = 0;

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
   * a message that fails alone is retried or dead-lettered by the policy of its queue, and the next one is called at once.
   */
  async run(subscription: Subscription, batch: Batch): Promise<Outcome> {
    const { acknowledger, ended } = subscription;
    const last = batch.deliveries.at(-1) as ConsumeMessage;
    const tooLarge = this.#tooLarge(batch, last);
    if (tooLarge !== undefined) {
      subscription.uncalled.called(batch.deliveries);
      await this.#refuse(last, tooLarge);
      acknowledger.done(last);
      return 'refused';
    }
    const { outcome, failures, error } = await callFunction(this.#options, batch, {
      outage: this.#outage,
      isProbe: subscription.holdsOne || this.#options.mapping.singleActiveConsumer === true,
      ended,
    });
    if (outcome === 'kept') return 'kept';
    subscription.uncalled.called(batch.deliveries);
    if (outcome === 'failed') return this.#failed(subscription, batch, error);
    this.#failures = 0;
    if (failures.size > 0) return this.#settle(subscription, batch, failures);
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
      if (!failures.has(index)) acknowledger.one(delivery);
    });
    const copies = [...failures].map(async ([index, failure]) => {
      const delivery = deliveries[index] as ConsumeMessage;
      const copied = await this.#copy(subscription, delivery, failure, since);
      if (copied === 'copied') acknowledger.one(delivery);
      return copied;
    });
    const kept = (await Promise.all(copies)).includes('kept');
    return kept ? 'kept' : 'done';
  }

  /** Publishes the copy of a failed message, and again while the broker takes none: the function is not called for it again. */
  async #copy(
    { channel, ended }: Subscription,
    delivery: ConsumeMessage,
    failure: ItemFailure,
    since: number,
  ): Promise<'copied' | 'rejected' | 'kept'> {
    const { publisher, mapping, log, maxHoldMs } = this.#options;
    const { messageId } = delivery.properties;
    for (let tries = 1; ; tries += 1) {
      try {
        await publisher.publish(hostCopy(mapping, delivery, failure, new Date()));
        recordFailure(mapping.queue, failure.verdict);
        return 'copied';
      } catch (error) {
        const { queue } = mapping;
        if (tries === 1) log.warn({ queue, messageId, err: error }, 'a copy is not confirmed, retrying');
        if (isMessageFault(error)) {
          // The broker counts the delivery, and dead-letters the message at its limit.
          if (!ended.aborted) channel.reject(delivery, true);
          return 'rejected';
        }
        const wait = backoff(tries, 100, 30_000);
        if (performance.now() - since + wait > maxHoldMs) return 'kept';
        await pause(wait, ended);
        if (ended.aborted) return 'kept';
      }
    }
  }

  async #failed(subscription: Subscription, batch: Batch, error: unknown): Promise<Outcome> {
    const { closed, ended } = subscription;
    const { deliveries, since } = batch;
    const [only] = deliveries;
    if (only && deliveries.length === 1) {
      if (this.#options.mapping.kind === 'rpc') return this.#requeue(subscription, only);
      if (closed.aborted) return 'kept';
      const failure = failureOf(this.#options.mapping, only, error);
      return (await this.#settle(subscription, batch, new Map([[0, failure]]))) === 'kept'
        ? 'kept'
        : 'failed';
    }
    for (const delivery of deliveries) {
      // Stopped, or the broker has them again: a message that was not called alone yet goes back.
      if (ended.aborted) return 'kept';
      const one = { deliveries: [delivery], bytes: encodedSize(delivery), since };
      if ((await this.run(subscription, one)) === 'kept') return 'kept';
    }
    return 'failed';
  }

  /** The caller of an RPC method does not wait for a retry queue. */
  async #requeue({ channel, closed, ended }: Subscription, delivery: ConsumeMessage): Promise<Outcome> {
    this.#failures += 1;
    await pause(backoff(this.#failures, 50, 1000), ended);
    if (closed.aborted) return 'kept';
    channel.reject(delivery, true);
    return 'failed';
  }

  /** Why a message is too large for a call; undefined if it is not. A message that exceeds a limit is a batch of its own. */
  #tooLarge({ bytes, deliveries }: Batch, last: ConsumeMessage): string | undefined {
    const max = maxBytesOf(this.#options.mapping);
    const size = sizeOf(last);
    if (deliveries.length === 1 && size > max) {
      return `size: expected at most ${max} bytes (maxMessageBytes of the queue), got ${size}`;
    }
    if (bytes <= maxEventBytes) return undefined;
    return `body: expected at most 6 MB in one event, got ${last.content.length} bytes`;
  }

  /** Dead-letters a message unread; the caller of an RPC method gets an answer. */
  async #refuse(delivery: ConsumeMessage, reason: string): Promise<void> {
    const { publisher, mapping, log, observer } = this.#options;
    const { queue, kind } = mapping;
    const { messageId, replyTo, correlationId } = delivery.properties;
    const error = new RejectedError(reason);
    if (kind === 'rpc' && typeof replyTo === 'string') {
      const body = toProblem(new CallError(413, 'The request is too large', reason));
      const reply = { body, contentType: 'application/problem+json', type: 'error' };
      await sendReply(publisher, { replyTo, correlationId }, reply);
      log.warn({ queue, messageId, err: error }, 'call was refused');
      return;
    }
    await sendToDeadLetters(publisher, receivedMessage(mapping, delivery), error);
    log.warn({ queue, messageId, err: error }, 'message was dead-lettered');
    observer.setAside?.(mapping);
  }
}
