import { setTimeout as pause } from 'node:timers/promises';
import type { Context } from 'aws-lambda';
import { isPublishRefused } from '../amqp/publish-errors.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { Deadlines } from '../base/deadlines.ts';
import { RejectedError } from '../base/errors.ts';
import { defaultLog, type Log } from '../base/log.ts';
import { isUnavailable } from '../base/unavailable.ts';
import { readsUnencoded } from '../base/unencoded.ts';
import { type Call, VerdictCall } from './batch-call.ts';
import { type BatchTime, runBatch, timeForMessages } from './batch-run.ts';
import { type BodyOptions, decodeBody } from './body.ts';
import {
  begunBefore,
  callerGone,
  encodeReply,
  type ProblemReply,
  problemReply,
  replyTooLarge,
} from './call-reply.ts';
import { type CallTime, runCall } from './call-time.ts';
import { CopyMemory } from './copy-memory.ts';
import { CopyingCall } from './copying-call.ts';
import type { RabbitMQEvent } from './event.ts';
import { callerDeadline } from './expiration.ts';
import { callCopy, failedCopy } from './failed-copy.ts';
import type { HandlerContext } from './handler-context.ts';
import type { MessagesFunction } from './on-messages.ts';
import { processed, type RecordError } from './processing.ts';
import { type Message, type ReceivedMessage, readEvent } from './received.ts';
import { type CallReply, sendReply } from './reply.ts';
import { wantsVerdicts } from './verdicts.ts';
import { publisherFor } from './vhost-publisher.ts';

/** Milliseconds between two tries to send a reply, and for which they go on if the call has no deadline. */
const [replyPauseMs, maxReplyMs] = [200, 10_000];
/** Reply code (AMQP 0-9-1, 1.1) for a message above the broker's `max_message_size`. */
const tooLarge = 406;

export interface CommonCallsOptions {
  publisher: PublisherLike;
  /** Number of calls of a batch that are handled at a time, default 10. Our hosts make each call on its own. */
  concurrency?: number;
  /**
   * Times that a call which was begun before may be made again, default 0; only for a method whose repetition does no harm. It
   * applies behind AWS's mapping; our hosts read `redeliveries` of the queue in custom.warren.
   */
  redeliveries?: number;
  /** Bytes of a reply, default 4500000; the caller of a larger one gets an error at once. */
  maxReplyBytes?: number;
  /** Default: standard error. A dead letter and a failure of the method are logged as `error`. */
  log?: Log;
}

/** As `onCalls`, for a handler whose options have no contract. */
export function eachCall(
  options: BodyOptions<unknown> & CommonCallsOptions,
  handle: (call: Message<unknown>, context: HandlerContext) => Promise<unknown>,
): MessagesFunction {
  const { publisher, concurrency = 10, redeliveries = 0, maxReplyBytes, log = defaultLog() } = options;
  const calls = new Deadlines<CallTime>();
  const deadlines = new Deadlines<BatchTime>();

  const failed = ({ queue, messageId }: ReceivedMessage, error: unknown): ProblemReply => {
    const reply = problemReply(error);
    log[reply.body.status >= 500 ? 'error' : 'info'](
      { queue, messageId, err: error },
      'call answered with an error',
    );
    return reply;
  };

  /** Decides what becomes of a call, and makes it if nothing is against it. */
  const replyTo = async (
    message: ReceivedMessage,
    until: number,
    lambda: Context | undefined,
    recordError: RecordError,
  ): Promise<CallReply | undefined> => {
    const now = new Date();
    const fail = (error: unknown) => {
      recordError(error);
      return failed(message, error);
    };
    if (until <= now.getTime()) return fail(callerGone());
    if (message.redelivered) {
      const error = begunBefore();
      if (message.attempt > redeliveries) return fail(error);
      const copy = failedCopy(message, { to: 'retry', seconds: 0 }, error, now);
      await publisherFor(publisher, message).publish(
        callCopy({ ...copy, routingKey: message.queue }, until, now),
      );
      return undefined;
    }
    try {
      const run = (context: HandlerContext) => handleCall(message, context);
      return await runCall({ until, lambda, deadlines: calls }, run);
    } catch (error) {
      return fail(error);
    }
  };

  const handleCall = async (message: ReceivedMessage, context: HandlerContext) =>
    // Encoded here, so that a result that JSON cannot represent is reported to the caller.
    encodeReply(await handle(await decodeBody(message, options), context), maxReplyBytes);

  /** Sends a reply, and again while the broker does not confirm it: its call is not made again. */
  const send = async (message: ReceivedMessage, first: CallReply, until: number): Promise<void> => {
    const { replyTo = '', correlationId } = message;
    let reply = first;
    for (;;) {
      try {
        return await sendReply(publisherFor(publisher, message), { replyTo, correlationId }, reply);
      } catch (error) {
        const refused = isPublishRefused(error);
        if (refused && error.replyCode === tooLarge && reply === first) {
          reply = failed(message, replyTooLarge(error.message));
        } else if (refused || !isUnavailable(error) || Date.now() + replyPauseMs > until) throw error;
        else await pause(replyPauseMs);
      }
    }
  };

  const answer = async (
    message: ReceivedMessage,
    until: number,
    lambda: Context | undefined,
    call: Call,
    recordError: RecordError,
  ) => {
    const { queue, messageId } = message;
    try {
      if (message.replyTo === undefined) {
        throw new RejectedError('reply_to: expected the name of a queue, got none');
      }
      const reply = await replyTo(message, until, lambda, recordError);
      const limit = Math.min(until, Date.now() + maxReplyMs);
      if (reply) await send(message, reply, limit);
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      recordError(error);
      // Without a caller to answer, an operator has to see it.
      await call.report(message, { verdict: { to: 'dead-letters', reason: 'rejected' }, error });
      log.error({ queue, messageId, err: error }, 'call was dead-lettered');
    }
  };

  return readsUnencoded(async (event: RabbitMQEvent, lambda?: Context) => {
    const arrivedAt = Date.now();
    const remainingMs = lambda?.getRemainingTimeInMillis?.();
    const messages = readEvent(event);
    const call = wantsVerdicts(lambda)
      ? new VerdictCall(messages)
      : new CopyingCall({ publisher, memory: new CopyMemory(), now: () => new Date(), remainingMs });
    const limit = arrivedAt + timeForMessages(remainingMs);
    const run = (message: ReceivedMessage) =>
      processed(message, (recordError) =>
        answer(message, Math.min(limit, callerDeadline(message, arrivedAt)), lambda, call, recordError),
      ).catch((error: unknown) => {
        // An error here would bring back the calls that are answered already.
        const { queue, messageId } = message;
        log.error({ queue, messageId, err: error }, 'the reply of a call was not confirmed and is lost');
      });
    // Each call ends at its own deadline.
    const { stuck } = call;
    await runBatch(messages, { concurrency, ms: Number.POSITIVE_INFINITY, deadlines, stuck }, run);
    return call.end(messages.length);
  });
}
