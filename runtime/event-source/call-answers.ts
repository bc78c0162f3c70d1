import { isPublishRefused } from '../amqp/publish-errors.ts';
import { RejectedError } from '../base/errors.ts';
import { isUnavailable } from '../base/unavailable.ts';
import { problemReply } from '../messages/call-reply.ts';
import { callCopy, describeError } from '../messages/failed-copy.ts';
import { hostCopy } from '../messages/host-copy.ts';
import { CallError, sendReply } from '../messages/reply.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import { backoff, pause } from './backoff.ts';
import type { BatchOptions } from './call.ts';
import { fileDeadLetter, rejection } from './file-dead-letter.ts';
import { FunctionLateError, HostUnavailableError } from './invoke.ts';
import type { OpenCall } from './open-call.ts';

/** Answers callers in place of a function that could not. */
export class CallAnswers {
  readonly #options: BatchOptions;

  constructor(options: BatchOptions) {
    this.#options = options;
  }

  /**
   * Answers a call with an error; a call without a reply address is dead-lettered.
   *
   * @returns whether it may be acknowledged; false if the subscription ended before the broker took the reply.
   */
  async fail(call: OpenCall, error: unknown): Promise<boolean> {
    const { mapping, log } = this.#options;
    const { subscription, delivery } = call;
    const { functionName, queue } = mapping;
    const { messageId } = delivery.properties;
    // A call that is not made is not the function's failure.
    const level = error instanceof CallError ? 'warn' : 'error';
    log[level](
      { function: functionName, queue, messageId, err: error },
      'call failed, answering with an error',
    );
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#answer(call, error);
        break;
      } catch (failed) {
        if (isPublishRefused(failed) || !isUnavailable(failed)) {
          // We have no right to send it, or the like: the broker will never take it.
          log.error({ queue, messageId, err: failed }, 'the error reply of a call was refused and is lost');
          break;
        }
        if (tries === 1)
          log.warn({ queue, messageId, err: failed }, 'the error reply is not confirmed, retrying');
        await pause(backoff(tries, 100, 5000), subscription.ended);
        if (subscription.ended.aborted) return false;
      }
    }
    return true;
  }

  /** Puts a call back into its queue as a new message, so that it does not count as begun. */
  async giveBack(call: OpenCall, error: unknown): Promise<'kept'> {
    const { mapping, publisher } = this.#options;
    const { subscription, delivery, until } = call;
    // The broker has it again, and will ask this process or another.
    if (subscription.closed.aborted) return 'kept';
    // First the acknowledgement: a copy that ends this process before it would be made without an end, because each delivery of
    // the original makes another copy. Any method with an answer shows that the broker has received it; this one changes nothing.
    call.ack.now();
    await subscription.channel.prefetch(mapping.concurrency ?? 1);
    const now = new Date();
    const failure = {
      verdict: { to: 'retry', seconds: 0 } as const,
      error: describeError(error),
      fault: false,
    };
    const copy = { ...hostCopy(mapping, delivery, failure, now), routingKey: mapping.queue };
    try {
      await publisher.publish(callCopy(copy, until, now));
    } catch (refused) {
      await this.fail(call, refused);
    }
    return 'kept';
  }

  /** Publishes a call as a dead letter, as the function decided. Throws as `PublisherLike.publish`. */
  async deadLetter(
    { delivery }: OpenCall,
    failure: Pick<ItemFailure, 'verdict' | 'error' | 'fault'>,
  ): Promise<void> {
    await fileDeadLetter(this.#options, delivery, failure);
  }

  async #answer(call: OpenCall, error: unknown): Promise<void> {
    const { replyTo, correlationId } = call.delivery.properties as {
      replyTo?: string;
      correlationId?: string;
    };
    if (replyTo === undefined) return this.#reject(call, error);
    try {
      await sendReply(this.#options.publisher, { replyTo, correlationId }, problemReply(callerError(error)));
    } catch (refused) {
      if (!(refused instanceof RejectedError)) throw refused;
      await this.#reject(call, refused);
    }
  }

  #reject(call: OpenCall, error: unknown): Promise<void> {
    return this.deadLetter(call, rejection(error));
  }
}

/** What the caller may know of an error. */
function callerError(error: unknown): unknown {
  if (error instanceof FunctionLateError) return new CallError(504, 'No answer in time');
  if (error instanceof HostUnavailableError) return new CallError(503, 'The method is unavailable');
  return error;
}
