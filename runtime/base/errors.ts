/** What a program decides by; the text of an error is for people only. */
export type ErrorCode =
  | 'ERR_REJECTED'
  | 'ERR_UNAVAILABLE'
  | 'ERR_PUBLISH_REFUSED'
  | 'ERR_UNROUTABLE'
  | 'ERR_TIMEOUT'
  | 'ERR_CONFIG'
  | 'ERR_TOPOLOGY'
  | 'ERR_BROKER_REFUSED'
  | 'ERR_STACK';

/** Base of every error this project throws on purpose. */
export class WarrenError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/**
 * The work can never succeed, however often it is tried: the message is malformed, or contradicts what is stored.
 * The wrapper moves such a message to the dead letters at once; `message` is the reason an operator reads there.
 */
export class RejectedError extends WarrenError {
  constructor(reason: string, options?: ErrorOptions) {
    super('ERR_REJECTED', reason, options);
  }
}

/** A dependency is away for now. The wrapper tries such a message again until it is a day old. */
export class UnavailableError extends WarrenError {
  readonly dependency: string;

  constructor(dependency: string, message: string, options?: ErrorOptions) {
    super('ERR_UNAVAILABLE', message, options);
    this.dependency = dependency;
  }
}

/** The broker took a mandatory message and had no queue for it. */
export class UnroutableError extends WarrenError {
  constructor(exchange: string, routingKey: string) {
    super('ERR_UNROUTABLE', `no queue is bound to exchange "${exchange}" for routing key "${routingKey}"`);
  }
}

/** An answer did not come within its limit. */
export class DeadlineError extends WarrenError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TIMEOUT', message, options);
  }
}

const networkCodes = new Set([
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
 * Whether an error says that the other side could not be reached: one of Node's network error codes, on the error
 * itself, on one of its causes or (happy eyeballs) on one of the errors it sums up.
 */
export function isNetworkError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string' && networkCodes.has(error.code)) return true;
  if (error instanceof AggregateError && error.errors.some(isNetworkError)) return true;
  return error.cause !== undefined && isNetworkError(error.cause);
}

/**
 * Waits for all of several works, so that one that fails keeps none of the others from its end.
 *
 * @throws the first error; one that asks for patience before any other, since that lasts a day.
 */
export async function allDone(works: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(works);
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  if (errors.length > 0) throw errors.find((error) => error instanceof UnavailableError) ?? errors[0];
}
