import { type Span, SpanStatusCode } from '@opentelemetry/api';
import type { Context } from 'aws-lambda';
import type { z } from 'zod';
import type { PublisherLike } from '../amqp/publisher.ts';
import { UnavailableError } from '../base/errors.ts';
import { defaultLog, type Log } from '../base/log.ts';
import { traced } from '../base/trace.ts';
import { type Call, copyingCall, verdictCall } from './batch-call.ts';
import { runBatch, timeForMessages } from './batch-run.ts';
import type { RabbitMQEvent } from './event.ts';
import { isExpired } from './expiration.ts';
import { decide, defaultFailurePolicy, type FailurePolicy, type Verdict } from './failure-policy.ts';
import { type FailurePolicies, ownPolicy, readPolicies } from './policies.ts';
import { decode, isDecoded, type Message, processing, type ReceivedMessage, readEvent } from './received.ts';
import { type BatchResult, wantsVerdicts } from './verdicts.ts';

export interface MessagesOptions<Body> {
  /** Schema of a body. A message with another body is dead-lettered with the reason. */
  schema: z.ZodType<Body>;
  /** Publishes the copies of failed messages. */
  publisher: PublisherLike;
  /** Number of messages of a batch that are handled at a time, default 10. */
  concurrency?: number;
  policy?: Partial<FailurePolicy>;
  /** Policies by queue, which replace `policy`; default the ones that the plugin put into the environment. */
  policies?: FailurePolicies;
  /**
   * Called before a message with a valid body is dead-lettered, for example to notify a user. It may be called more than once
   * for a message. If it throws an error that the policy retries, the message is retried, and its handler is called again.
   */
  onDeadLetter?: ((message: Message<Body>, error: unknown) => Promise<unknown>) | undefined;
  /** @deprecated Renamed to `onDeadLetter`. */
  onGivenUp?: ((message: Message<Body>, error: unknown) => Promise<unknown>) | undefined;
  /** Default: standard error. A retry is logged as `warn`, a dead letter as `error`. */
  log?: Log;
  now?: () => Date;
}

interface Judgement {
  verdict: Verdict;
  error: unknown;
}

/** What a handler gets besides its message. */
export interface HandlerContext {
  /** Aborted when the time for the message is over: the message is then retried, and a result comes too late. */
  signal: AbortSignal;
  /** Lambda's context of the call; undefined if the function was called without one. */
  lambda: Context | undefined;
}

/** A function for RabbitMQ's event. It returns verdicts to a host that asks for them (`verdictsContext`). */
export type MessagesFunction = (event: RabbitMQEvent, context?: Context) => Promise<BatchResult | undefined>;

/**
 * Creates a function for RabbitMQ's event from a handler for one message. Each message of a batch is decoded, checked and
 * handled on its own. A message that fails is retried or dead-lettered by the failure policy, so it never fails its neighbours.
 * A message that is not done shortly before the call's time is over counts as one whose dependency is unavailable.
 *
 * @param handle handles one message, and may be called more than once for it. It throws RejectedError if the message can never
 *   work, UnavailableError if a dependency is unavailable, and any other error for other failures.
 * @returns the function. Called by one of our hosts, it returns a verdict for each message that failed, and the host makes the
 *   copies. Behind AWS's mapping it makes them itself, and throws only if a failed message could not be republished: the batch
 *   then has to be delivered again, and nothing is lost. It throws UnavailableError if the broker is the reason, and
 *   ERR_COPY_FAILED if a message has a copy that cannot be published.
 */
export function onMessages<Body>(
  options: MessagesOptions<Body>,
  handle: (message: Message<Body>, context: HandlerContext) => Promise<unknown>,
): MessagesFunction {
  const { schema, publisher, concurrency = 10, log = defaultLog(), now = () => new Date() } = options;
  const policy = { ...defaultFailurePolicy, ...options.policy };
  const { policies = readPolicies(), onGivenUp, onDeadLetter = onGivenUp } = options;

  const judge = (message: ReceivedMessage, error: unknown): Judgement => ({
    verdict: decide(error, message, now(), ownPolicy(message.queue, policies) ?? policy),
    error,
  });

  /** Decides about a failed message, after `onDeadLetter` has been called for a dead letter. */
  const judgeAndNotify = async (message: ReceivedMessage, error: unknown): Promise<Judgement> => {
    const judgement = judge(message, error);
    if (judgement.verdict.to === 'retry' || !onDeadLetter || !isDecoded<Body>(message)) return judgement;
    try {
      await onDeadLetter(message, error);
      return judgement;
    } catch (failed) {
      const { queue, messageId } = message;
      log.error({ queue, messageId, err: failed }, 'onDeadLetter failed');
      const again = judge(message, failed);
      return again.verdict.to === 'retry' ? again : judgement;
    }
  };

  const settle = async (message: ReceivedMessage, failure: unknown, call: Call): Promise<void> => {
    const { verdict, error } = await judgeAndNotify(message, failure);
    await call.report(message, { verdict, error });
    const { queue, messageId, attempt } = message;
    const ms = Math.round(performance.now() - call.startedAt);
    const fields = { queue, messageId, attempt, ms, verdict, err: error };
    if (verdict.to === 'retry') log.warn(fields, 'message failed and will be retried');
    else log.error(fields, 'message failed and was dead-lettered');
  };

  const run = async (
    message: ReceivedMessage,
    context: HandlerContext,
    call: Call,
    span?: Span,
  ): Promise<void> => {
    const { queue, messageId, attempt } = message;
    if (isExpired(message, now())) {
      log.info({ queue, messageId, attempt }, 'message expired');
      return;
    }
    try {
      await handle(decode(message, schema), context);
    } catch (error) {
      // The verdict of a message whose time is over stands already.
      if (context.signal.aborted) return;
      span?.recordException(error instanceof Error ? error : String(error));
      span?.setStatus({ code: SpanStatusCode.ERROR });
      return settle(message, error, call);
    }
    log.debug({ queue, messageId, attempt }, 'message done');
  };

  return async (event, lambda) => {
    const messages = readEvent(event);
    const call = wantsVerdicts(lambda) ? verdictCall(messages) : copyingCall(publisher, now);
    const ms = timeForMessages(lambda?.getRemainingTimeInMillis?.());
    const late = await runBatch(messages, { concurrency, ms }, (message, signal) =>
      traced(
        () => processing(message),
        (span) => run(message, { signal, lambda }, call, span),
      ).catch(call.stuck),
    );
    await Promise.all(late.map((message) => settle(message, tooLate(message, ms), call).catch(call.stuck)));
    return call.end(messages.length);
  };
}

function tooLate({ queue }: ReceivedMessage, ms: number): UnavailableError {
  return new UnavailableError(queue, `the message was not done after ${Math.round(ms)} ms`);
}
