import { type Span, SpanStatusCode } from '@opentelemetry/api';
import type { z } from 'zod';
import { isPublishRefused } from '../amqp/confirm-channel.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { traced } from '../base/trace.ts';
import type { RabbitMQEvent } from './event.ts';
import { decide, defaultFailurePolicy, type FailurePolicy, type Verdict } from './failure-policy.ts';
import { type FailurePolicies, ownPolicy, readPolicies } from './policies.ts';
import { decode, isDecoded, type Message, processing, type ReceivedMessage, readEvent } from './received.ts';
import { republish } from './republish.ts';

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
  log?: Log;
  now?: () => Date;
}

interface Judgement {
  verdict: Verdict;
  error: unknown;
}

/**
 * Creates a function for RabbitMQ's event from a handler for one message. Each message of a batch is decoded, checked and
 * handled on its own. A message that fails is retried or dead-lettered by the failure policy, so it never fails its neighbours.
 *
 * @param handle handles one message, and may be called more than once for it. It throws RejectedError if the message can never
 *   work, UnavailableError if a dependency is unavailable, and any other error for other failures.
 * @returns the function. It throws only if a failed message could not be republished: the batch then has to be delivered again,
 *   and nothing is lost. It throws UnavailableError if the broker is the reason, and ERR_COPY_FAILED if a message has a copy
 *   that cannot be published.
 */
export function onMessages<Body>(
  options: MessagesOptions<Body>,
  handle: (message: Message<Body>) => Promise<unknown>,
): (event: RabbitMQEvent) => Promise<void> {
  const { schema, publisher, concurrency = 10, log = silentLog, now = () => new Date() } = options;
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

  const settleFailure = async (message: ReceivedMessage, failure: unknown, ms: number): Promise<void> => {
    const { verdict, error } = await judgeAndNotify(message, failure);
    await republish(publisher, { message, verdict, error, at: now() });
    const { queue, messageId, attempt } = message;
    const outcome = verdict.to === 'retry' ? 'will be retried' : 'was dead-lettered';
    log.warn({ queue, messageId, attempt, ms, verdict, err: error }, `message failed and ${outcome}`);
  };

  const run = async (message: ReceivedMessage, span?: Span): Promise<void> => {
    const startedAt = performance.now();
    const ms = () => Math.round(performance.now() - startedAt);
    try {
      await handle(decode(message, schema));
    } catch (error) {
      span?.recordException(error instanceof Error ? error : String(error));
      span?.setStatus({ code: SpanStatusCode.ERROR });
      return settleFailure(message, error, ms());
    }
    const { queue, messageId, attempt } = message;
    log.debug({ queue, messageId, attempt, ms: ms() }, 'message done');
  };

  return async (event) => {
    const messages = readEvent(event);
    const stuck: unknown[] = [];
    const waiting = messages.values();
    const lane = async () => {
      for (const message of waiting)
        await traced(
          () => processing(message),
          (span) => run(message, span),
        ).catch((error: unknown) => stuck.push(error));
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, messages.length) }, lane));
    if (stuck.length > 0) {
      const text = `${stuck.length} of ${messages.length} messages could be neither finished nor republished`;
      const guilty = stuck.find(isMessageFault);
      if (guilty !== undefined) throw new WarrenError('ERR_COPY_FAILED', text, { cause: guilty });
      throw new UnavailableError('broker', text, { cause: stuck[0] });
    }
  };
}

/** Whether the published message caused an error, and not the broker or its setup. */
function isMessageFault(error: unknown): boolean {
  if (!isPublishRefused(error)) return !(error instanceof WarrenError);
  // The exchange is missing, or we have no right to it.
  return error.replyCode !== 403 && error.replyCode !== 404;
}
