import type { Context } from 'aws-lambda';
import { expiresAtHeader } from '../amqp/headers.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { UnavailableError } from '../base/errors.ts';
import { defaultLog, type Log } from '../base/log.ts';
import { isUnavailable } from '../base/unavailable.ts';
import { type Call, VerdictCall } from './batch-call.ts';
import { timeForMessages } from './batch-run.ts';
import type { BodyOptions } from './body.ts';
import { CopyMemory } from './copy-memory.ts';
import { CopyingCall } from './copying-call.ts';
import { isExpired } from './expiration.ts';
import { describeError } from './failed-copy.ts';
import { decide, defaultFailurePolicy, type FailurePolicy, type Verdict } from './failure-policy.ts';
import { type FailurePolicies, ownPolicy, readPolicies } from './policies.ts';
import { isDecoded, type Message, type ReceivedMessage } from './received.ts';
import { wantsVerdicts } from './verdicts.ts';

/** What `onMessages` and `onBatch` share. */
export interface FailureOptions<Body> extends BodyOptions<Body> {
  /** Publishes the copies of failed messages. */
  publisher: PublisherLike;
  policy?: Partial<FailurePolicy>;
  /** Policies by queue, which replace `policy`; default the ones that the plugin put into the environment. */
  policies?: FailurePolicies;
  /**
   * Whether one of your own errors means that a dependency is unavailable, so that the message is retried for a day. Errors that
   * Warren's `isUnavailable` recognizes are retried as well.
   */
  isUnavailable?: ((error: unknown) => boolean) | undefined;
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

/** One call of a function: what becomes of its messages. */
export interface Settling {
  call: Call;
  /** Milliseconds for the messages, Infinity without a limit. */
  ms: number;
  /** Whether the message is not handled: it has expired, an earlier call has done it, or that is not certain yet. */
  skipped(message: ReceivedMessage): boolean | Promise<boolean>;
  done(message: ReceivedMessage): void;
  /** Retries or dead-letters a message. */
  failed(message: ReceivedMessage, error: unknown): Promise<void>;
  /** As `failed`, for a message that was not done in time. */
  late(message: ReceivedMessage): Promise<void>;
}

/** Prepares the failure policy of a function. The result starts a call for a batch. */
export function settler<Body>(
  options: FailureOptions<Body>,
): (messages: readonly ReceivedMessage[], lambda: Context | undefined) => Settling {
  const policy = new Policy(options);
  return (messages, lambda) => new SettlingCall(policy, messages, lambda);
}

/** The failure policy of a function. */
class Policy<Body> {
  readonly log: Log;
  readonly now: () => Date;
  readonly publisher: PublisherLike;
  readonly memory = new CopyMemory();
  readonly #options: FailureOptions<Body>;
  readonly #policy: FailurePolicy;
  readonly #policies: FailurePolicies;

  constructor(options: FailureOptions<Body>) {
    const { publisher, log = defaultLog(), now = () => new Date(), policies = readPolicies() } = options;
    this.publisher = publisher;
    this.log = log;
    this.now = now;
    this.#options = options;
    this.#policy = { ...defaultFailurePolicy, ...options.policy };
    this.#policies = policies;
  }

  /** Decides about a failed message, after `onDeadLetter` has been called for a dead letter. */
  async judge(message: ReceivedMessage, error: unknown): Promise<Judgement> {
    const { onGivenUp, onDeadLetter = onGivenUp } = this.#options;
    const judgement = this.#judge(message, error);
    if (judgement.verdict.to === 'retry' || !onDeadLetter || !isDecoded<Body>(message)) return judgement;
    try {
      await onDeadLetter(message, error);
      return judgement;
    } catch (failed) {
      const { queue, messageId } = message;
      this.log.error({ queue, messageId, err: failed }, 'onDeadLetter failed');
      const again = this.#judge(message, failed);
      return again.verdict.to === 'retry' ? again : judgement;
    }
  }

  #judge(message: ReceivedMessage, failure: unknown): Judgement {
    const error = classified(failure, this.#options.isUnavailable);
    const policy = ownPolicy(message.queue, this.#policies) ?? this.#policy;
    return { verdict: decide(error, message, this.now(), policy), error };
  }
}

/** A call of a function. A class, because its functions would be objects of each call. */
class SettlingCall<Body> implements Settling {
  readonly call: Call;
  readonly ms: number;
  readonly #policy: Policy<Body>;

  constructor(policy: Policy<Body>, messages: readonly ReceivedMessage[], lambda: Context | undefined) {
    const { publisher, memory, now } = policy;
    const remainingMs = lambda?.getRemainingTimeInMillis?.();
    this.#policy = policy;
    this.call = wantsVerdicts(lambda)
      ? new VerdictCall(messages)
      : new CopyingCall({ publisher, memory, now, remainingMs });
    this.ms = timeForMessages(remainingMs);
  }

  skipped(message: ReceivedMessage): boolean | Promise<boolean> {
    const { call } = this;
    if (message.headers[expiresAtHeader] !== undefined && isExpired(message, this.#policy.now())) {
      const { queue, messageId, attempt } = message;
      this.#policy.log.info({ queue, messageId, attempt }, 'message expired');
      return true;
    }
    const known = call.knows(message);
    if (known === false) return false;
    return known.catch((error: unknown) => {
      call.stuck(error);
      return true;
    });
  }

  done(message: ReceivedMessage): void {
    this.call.done(message);
    const { queue, messageId, attempt } = message;
    this.#policy.log.debug({ queue, messageId, attempt }, 'message done');
  }

  async failed(message: ReceivedMessage, failure: unknown): Promise<void> {
    const { call } = this;
    const { log } = this.#policy;
    const { verdict, error } = await this.#policy.judge(message, failure);
    await call.report(message, { verdict, error });
    const { queue, messageId, attempt } = message;
    const took = Math.round(performance.now() - call.startedAt);
    const fields = { queue, messageId, attempt, ms: took, verdict, err: error };
    if (verdict.to === 'retry') log.warn(fields, 'message failed and will be retried');
    else log.error(fields, 'message failed and was dead-lettered');
  }

  late(message: ReceivedMessage): Promise<void> {
    return this.failed(message, tooLate(message, this.ms)).catch(this.call.stuck);
  }
}

/** An error that only the function recognizes becomes one that every part of the failure policy recognizes. */
function classified(error: unknown, isOwn: ((error: unknown) => boolean) | undefined): unknown {
  if (!isOwn || isUnavailable(error) || !isOwn(error)) return error;
  return new UnavailableError('dependency', describeError(error), { cause: error });
}

function tooLate({ queue }: ReceivedMessage, ms: number): UnavailableError {
  return new UnavailableError(queue, `the message was not done after ${Math.round(ms)} ms`);
}
