import type { Context } from 'aws-lambda';
import type { PublisherLike } from '../amqp/publisher.ts';
import { Deadlines } from '../base/deadlines.ts';
import { RejectedError } from '../base/errors.ts';
import { defaultLog, type Log } from '../base/log.ts';
import { after, isPromise } from '../base/promises.ts';
import { type HostReply, readsUnencoded, unencodedIn } from '../base/unencoded.ts';
import { type Call, VerdictCall } from './batch-call.ts';
import { type BatchTime, runBatch, timeForMessages } from './batch-run.ts';
import { type BodyOptions, decoding } from './body.ts';
import { begunBefore, callerGone, encodeReply, type ProblemReply, problemReply } from './call-reply.ts';
import { type CallTime, runCall } from './call-time.ts';
import { CopyMemory } from './copy-memory.ts';
import { CopyingCall } from './copying-call.ts';
import type { RabbitMQEvent } from './event.ts';
import { callerDeadline } from './expiration.ts';
import { callCopy, failedCopy } from './failed-copy.ts';
import type { HandlerContext } from './handler-context.ts';
import { checkFunctionNumbers } from './number-options.ts';
import type { MessagesFunction } from './on-messages.ts';
import { processed, type RecordError } from './processing.ts';
import { type Message, type ReceivedMessage, readEvent } from './received.ts';
import type { CallReply } from './reply.ts';
import { sendReplyOf } from './reply-tries.ts';
import { wantsVerdicts } from './verdicts.ts';
import { publisherFor } from './vhost-publisher.ts';

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

const nothing = () => undefined;
const noReplyTo = () => new RejectedError('reply_to: expected the name of a queue, got none');

/** As `onCalls`, for a handler whose options have no contract. */
export function eachCall(
  options: BodyOptions<unknown> & CommonCallsOptions,
  handle: (call: Message<unknown>, context: HandlerContext) => Promise<unknown>,
): MessagesFunction {
  checkFunctionNumbers(options);
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

  const handleCall = (
    message: ReceivedMessage,
    context: HandlerContext,
  ): CallReply | PromiseLike<CallReply> => {
    const call = decoding(message, options);
    const result = isPromise(call) ? call.then((read) => handle(read, context)) : handle(call, context);
    // Encoded here, so that a result that JSON cannot represent is reported to the caller.
    return after(result, (value) => encodeReply(value, maxReplyBytes));
  };

  /** Puts a call that was begun before back into its queue, as a new message. */
  const giveBack = async (message: ReceivedMessage, until: number): Promise<void> => {
    const now = new Date();
    const copy = failedCopy(message, { to: 'retry', seconds: 0 }, begunBefore(), now);
    await publisherFor(publisher, message).publish(
      callCopy({ ...copy, routingKey: message.queue }, until, now),
    );
  };

  /** Makes a call and answers it. Not `async`, because the promises of such functions took a third of the time of a call. */
  const answer = (
    message: ReceivedMessage,
    until: number,
    lambda: Context | undefined,
    recordError: RecordError,
    way: HostReply | undefined,
  ): Promise<unknown> => {
    const send = (reply: CallReply) => sendReplyOf(message, reply, { publisher, until, failed, way });
    const fail = (error: unknown) => {
      recordError(error);
      return send(failed(message, error));
    };
    if (message.replyTo === undefined) return Promise.reject(noReplyTo());
    if (until <= Date.now()) return Promise.reject(callerGone()).catch(fail);
    if (message.redelivered) {
      if (message.attempt <= redeliveries) return giveBack(message, until);
      return Promise.reject(begunBefore()).catch(fail);
    }
    const run = (context: HandlerContext) => handleCall(message, context);
    return runCall({ until, lambda, deadlines: calls }, run).then(send, fail);
  };

  /** Dead-letters a call without a caller to answer, because an operator has to see it. */
  const unanswered = async (
    message: ReceivedMessage,
    error: unknown,
    call: Call,
    recordError: RecordError,
  ): Promise<void> => {
    if (!(error instanceof RejectedError)) throw error;
    recordError(error);
    await call.report(message, { verdict: { to: 'dead-letters', reason: 'rejected' }, error });
    const { queue, messageId } = message;
    log.error({ queue, messageId, err: error }, 'call was dead-lettered');
  };

  return readsUnencoded(async (event: RabbitMQEvent, lambda?: Context) => {
    const arrivedAt = Date.now();
    const remainingMs = lambda?.getRemainingTimeInMillis?.();
    const messages = readEvent(event);
    const call = wantsVerdicts(lambda)
      ? new VerdictCall(messages)
      : new CopyingCall({ publisher, memory: new CopyMemory(), now: () => new Date(), remainingMs });
    const limit = arrivedAt + timeForMessages(remainingMs);
    const way = unencodedIn(event)?.reply;
    // An error here would bring back the calls that are answered already.
    const lost = ({ queue, messageId }: ReceivedMessage, err: unknown) =>
      log.error({ queue, messageId, err }, 'the reply of a call was not confirmed and is lost');
    const run = (message: ReceivedMessage) => {
      const until = Math.min(limit, callerDeadline(message, arrivedAt));
      const work = (recordError: RecordError) =>
        answer(message, until, lambda, recordError, way).then(nothing, (error: unknown) =>
          unanswered(message, error, call, recordError),
        );
      return processed(message, work).then(undefined, (error: unknown) => lost(message, error));
    };
    // Each call ends at its own deadline.
    const { stuck } = call;
    await runBatch(messages, { concurrency, ms: Number.POSITIVE_INFINITY, deadlines, stuck }, run);
    return call.end(messages.length);
  });
}
