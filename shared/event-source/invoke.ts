import type { RabbitMQEvent } from './event.ts';

/**
 * Calls a function with an event and resolves when it has succeeded.
 *
 * @throws HostAwayError when the call did not reach the function, anything else when the function failed.
 */
export type Invoke = (event: RabbitMQEvent) => Promise<void>;

/** The call did not reach the function: its host is away or turns calls down for now. */
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
