import type { ErrorCode, ProjectErrorCode } from './error-codes.ts';

/** Base of every error that is thrown on purpose. */
export class WarrenError extends Error {
  // Names are literals: a minifier changes those of classes.
  override name = 'WarrenError';
  readonly code: ErrorCode | ProjectErrorCode;

  constructor(code: ErrorCode | ProjectErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The work can never succeed, however often it is retried: the message is malformed, or contradicts stored data. The message is
 * dead-lettered at once; `message` is the reason that an operator reads there.
 */
export class RejectedError extends WarrenError {
  override name = 'RejectedError';

  constructor(reason: string, options?: ErrorOptions) {
    super('ERR_REJECTED', reason, options);
  }
}

/** A dependency is unavailable for now. The message is retried until it is a day old. */
export class UnavailableError extends WarrenError {
  override name = 'UnavailableError';
  readonly dependency: string;

  constructor(dependency: string, message: string, options?: ErrorOptions) {
    super('ERR_UNAVAILABLE', message, options);
    this.dependency = dependency;
  }
}

/**
 * The work asks for another try after a time of its own, such as the `Retry-After` of a response with status 429. The message
 * waits for the shortest delay of its queue that is not below it, or else for the longest. It is retried until it is a day old.
 */
export class RetryLaterError extends WarrenError {
  override name = 'RetryLaterError';
  /** Seconds, at least 0. */
  readonly seconds: number;

  /** @param after seconds or the time of the next try. A time that is not valid, or has passed, is the shortest delay. */
  constructor(after: number | Date, message = 'the work asked for a retry', options?: ErrorOptions) {
    super('ERR_RETRY_LATER', message, options);
    const seconds = typeof after === 'number' ? after : (after.getTime() - Date.now()) / 1000;
    this.seconds = seconds > 0 ? seconds : 0;
  }
}

/**
 * Ends the handling of a message, and has it retried after a number of seconds.
 *
 * @param after seconds or the time of the next try.
 * @throws RetryLaterError always.
 * @example
 * if (response.status === 429) retry(Number(response.headers.get('retry-after')));
 */
export function retry(after: number | Date, message?: string): never {
  throw new RetryLaterError(after, message);
}

/** The broker accepted a mandatory message and had no queue for it. */
export class UnroutableError extends WarrenError {
  override name = 'UnroutableError';

  constructor(exchange: string, routingKey: string) {
    super('ERR_UNROUTABLE', `no queue is bound to exchange "${exchange}" for routing key "${routingKey}"`);
  }
}

/** An answer did not arrive within its time limit. */
export class DeadlineError extends WarrenError {
  override name = 'DeadlineError';

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TIMEOUT', message, options);
  }
}

/** The other side answered with more bytes than the caller takes. The reply was neither parsed nor kept. */
export class ReplyTooLargeError extends WarrenError {
  override name = 'ReplyTooLargeError';

  constructor(what: string, bytes: number, maxBytes: number) {
    super('ERR_REPLY_TOO_LARGE', `the reply of ${what}: expected at most ${maxBytes} bytes, got ${bytes}`);
  }
}

/** Node's codes for a peer that cannot be reached, ends the connection or does not answer. */
export const networkCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
]);

/**
 * Whether an error means that a peer could not be reached: one of Node's network error codes, on the error itself, on one of its
 * causes or (happy eyeballs) on one of the errors that it sums up.
 */
export function isNetworkError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string' && networkCodes.has(error.code)) return true;
  if (error instanceof AggregateError && Array.isArray(error.errors) && error.errors.some(isNetworkError))
    return true;
  return error.cause !== undefined && isNetworkError(error.cause);
}

/**
 * Waits until every one of several works has ended, even if one of them fails.
 *
 * @throws the first error; an UnavailableError before any other, because its message is retried for a day.
 */
export async function allDone(works: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(works);
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  if (errors.length > 0) throw errors.find((error) => error instanceof UnavailableError) ?? errors[0];
}
