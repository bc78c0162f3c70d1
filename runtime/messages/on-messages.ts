import { type Span, SpanStatusCode } from '@opentelemetry/api';
import type { z } from 'zod';
import { type PublisherLike, PublishRefusedError } from '../amqp/publisher.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { traced } from '../base/trace.ts';
import type { RabbitMQEvent } from './event.ts';
import {
  decide,
  defaultFailurePolicy,
  type FailurePolicies,
  type FailurePolicy,
  failedCopy,
  readPolicies,
  tellSetAside,
  type Verdict,
} from './failure-policy.ts';
import { decode, isDecoded, type Message, processing, type ReceivedMessage, readEvent } from './received.ts';

export type { Message } from './received.ts';

export interface MessagesOptions<Body> {
  /** What a body has to look like; what doesn't match goes to the dead letters with the reason. */
  schema: z.ZodType<Body>;
  /** Publishes the copies of messages that failed. */
  publisher: PublisherLike;
  /** How many messages of a batch are worked on at a time, default 10. */
  concurrency?: number;
  policy?: Partial<FailurePolicy>;
  /** By queue, what takes the place of `policy`; default what the plugin put into the environment. */
  policies?: FailurePolicies;
  /**
   * Told of a message that makes sense, before it goes to the dead letters: the place to tell whoever waits for it. It may be
   * told more than once. Where it throws and the policy would have that tried again, the message is; its handler is then
   * called again too.
   */
  onGivenUp?: ((message: Message<Body>, error: unknown) => Promise<unknown>) | undefined;
  log?: Log;
  now?: () => Date;
}

interface Judgement {
  verdict: Verdict;
  error: unknown;
}

/**
 * Makes a function for RabbitMQ's event out of a handler for one message. Each message of a batch is decoded, checked
 * and run on its own; one that fails is set aside by the failure policy, so that it never fails its neighbours.
 *
 * @param handle works on one message, and may be called more than once for the same. It throws RejectedError where the
 *   message can never work, UnavailableError where a dependency is away, anything else for the rest.
 * @returns the function; it throws only when a failed message could not be set aside either: the batch then has to be
 *   delivered again, and nothing is lost. It throws UnavailableError where that is up to the broker, any other error where
 *   it is up to a message whose copy nobody can publish.
 */
export function onMessages<Body>(
  options: MessagesOptions<Body>,
  handle: (message: Message<Body>) => Promise<unknown>,
): (event: RabbitMQEvent) => Promise<void> {
  const { schema, publisher, concurrency = 10, log = silentLog, now = () => new Date() } = options;
  const policy = { ...defaultFailurePolicy, ...options.policy };
  const { policies = readPolicies(), onGivenUp } = options;

  const judge = (message: ReceivedMessage, error: unknown): Judgement => {
    const own = Object.hasOwn(policies, message.queue) ? policies[message.queue] : undefined;
    return { verdict: decide(error, message, now(), own ?? policy), error };
  };

  /** The last word on a message that failed, after whoever wants to know has been told of a bad one. */
  const judgeAndTell = async (message: ReceivedMessage, error: unknown): Promise<Judgement> => {
    const judgement = judge(message, error);
    if (judgement.verdict.to === 'retry' || !onGivenUp || !isDecoded<Body>(message)) return judgement;
    try {
      await onGivenUp(message, error);
      return judgement;
    } catch (failed) {
      const { queue, messageId } = message;
      log.error({ queue, messageId, err: failed }, 'nobody could be told of a message that is given up');
      const again = judge(message, failed);
      return again.verdict.to === 'retry' ? again : judgement;
    }
  };

  const setAside = async (message: ReceivedMessage, failure: unknown, ms: number): Promise<void> => {
    const { verdict, error } = await judgeAndTell(message, failure);
    await publisher.publish(failedCopy(message, verdict, error, now()));
    tellSetAside(message.queue, verdict);
    const { queue, messageId, attempt } = message;
    log.warn({ queue, messageId, attempt, ms, verdict, err: error }, 'message failed and was set aside');
  };

  const run = async (message: ReceivedMessage, span?: Span): Promise<void> => {
    const startedAt = performance.now();
    const ms = () => Math.round(performance.now() - startedAt);
    try {
      await handle(decode(message, schema));
    } catch (error) {
      span?.recordException(error instanceof Error ? error : String(error));
      span?.setStatus({ code: SpanStatusCode.ERROR });
      return setAside(message, error, ms());
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
      const text = `${stuck.length} of ${messages.length} messages could be neither finished nor set aside`;
      const guilty = stuck.find(isMessages);
      if (guilty !== undefined) throw new Error(text, { cause: guilty });
      throw new UnavailableError('broker', text, { cause: stuck[0] });
    }
  };
}

/** Whether an error is due to the message that was published: neither to a broker that takes none nor to its set-up. */
function isMessages(error: unknown): boolean {
  if (!(error instanceof PublishRefusedError)) return !(error instanceof WarrenError);
  // No such exchange, or no right to it.
  return error.replyCode !== 403 && error.replyCode !== 404;
}
