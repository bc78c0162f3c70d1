import { headerTime } from '../amqp/header-text.ts';
import { faultsHeader, firstFailedAtHeader } from '../amqp/headers.ts';
import { askedSeconds } from '../base/asked-pause.ts';
import type { ErrorCode } from '../base/error-codes.ts';
import { isUnavailable } from '../base/unavailable.ts';
import { defaultRetryDelays } from '../topology/names.ts';
import { countOf, type ReceivedMessage } from './received.ts';

export interface FailurePolicy {
  /** Seconds before each retry, default 1, 10, 60, 600. Each delay has a retry queue of its own. */
  delays: readonly number[];
  /** Seconds after its first failure at which a message that waits for a dependency is dead-lettered, default a day. */
  maxAge: number;
}

export const defaultFailurePolicy: FailurePolicy = { delays: defaultRetryDelays, maxAge: 86_400 };

/** The destination of a failed message. */
export type Verdict =
  | { to: 'retry'; seconds: number }
  | { to: 'dead-letters'; reason: 'rejected' | 'exhausted' | 'too-old' };

/**
 * Decides whether a message whose handler failed is retried or dead-lettered.
 *
 * - It can never work (RejectedError): dead-lettered at once.
 * - A dependency is unavailable (`isUnavailable`): each delay once, then the last one until `maxAge`.
 * - It asks for its retry itself (RetryLaterError, also as a cause): the shortest delay that is not below its seconds, or else the
 *   longest, until `maxAge`.
 * - Any other error: each delay once, then dead-lettered.
 */
export function decide(error: unknown, message: ReceivedMessage, now: Date, policy: FailurePolicy): Verdict {
  if (isRejected(error)) return { to: 'dead-letters', reason: 'rejected' };
  const { delays, maxAge } = policy;
  const last = delays.at(-1) ?? 0;
  if (isUnavailable(error)) {
    const age = (now.getTime() - firstFailure(message, now).getTime()) / 1000;
    const asked = askedSeconds(error);
    const seconds = asked === undefined ? (delays[message.attempt - 1] ?? last) : nearestDelay(delays, asked);
    return age >= maxAge ? { to: 'dead-letters', reason: 'too-old' } : { to: 'retry', seconds };
  }
  const seconds = delays[faultsOf(message)];
  return seconds === undefined ? { to: 'dead-letters', reason: 'exhausted' } : { to: 'retry', seconds };
}

function nearestDelay(delays: readonly number[], seconds: number): number {
  const sorted = [...delays].sort((one, other) => one - other);
  return sorted.find((delay) => delay >= seconds) ?? sorted.at(-1) ?? 0;
}

/** By its code, because a bundle has classes of its own. */
function isRejected(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === ('ERR_REJECTED' satisfies ErrorCode);
}

/** Number of earlier failures that were not due to a dependency. */
export function faultsOf(message: ReceivedMessage): number {
  return countOf(message.headers[faultsHeader]);
}

/** Time of the first failure; now if this is the first. A time that is ahead is now too, or the message would never be too old. */
export function firstFailure(message: Pick<ReceivedMessage, 'headers'>, now: Date): Date {
  const first = headerTime(message.headers[firstFailedAtHeader]);
  return first < now ? first : now;
}
