import type { RabbitMQEvent } from '../messages/event.ts';

/**
 * Calls a function with an event and resolves when it has succeeded.
 *
 * @throws HostAwayError when the call did not reach the function, or the function threw UnavailableError (the wrapper does where
 *   the broker takes no copies of what failed); anything else when the function failed.
 */
export type Invoke = (event: RabbitMQEvent) => Promise<void>;

/**
 * The call is to be made again with the same messages, which are not to blame: it did not reach the function, since its host is
 * away or turns calls down for now, or the function says itself that what it can't do without is away.
 */
export class HostAwayError extends Error {
  readonly code = 'ERR_HOST_AWAY';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HostAwayError';
  }
}

/** The function was called and failed: it threw, crashed or took too long. */
export class FunctionFailedError extends Error {
  readonly code = 'ERR_FUNCTION_FAILED';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FunctionFailedError';
  }
}
