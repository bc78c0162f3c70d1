import { WarrenError } from '../base/errors.ts';
import type { RabbitMQEvent } from '../messages/event.ts';

/**
 * Calls a function with an event and resolves with its result when the function has succeeded. The host asks it for verdicts
 * (`verdictsContext`).
 *
 * @throws HostUnavailableError if the call did not reach the function, or the function threw UnavailableError (as `onMessages` does
 *   if the broker takes no copies of failed messages); any other error if the function failed.
 */
export type Invoke = (event: RabbitMQEvent) => Promise<unknown>;

/**
 * The call has to be made again with the same messages, which did not cause the failure: it did not reach the function, because
 * the host is unavailable or refuses calls for now, or the function reports that a dependency is unavailable.
 */
export class HostUnavailableError extends WarrenError {
  override name = 'HostUnavailableError';

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_HOST_UNAVAILABLE', message, options);
  }
}

/** The function was called and failed: it threw, crashed or took too long. */
export class FunctionFailedError extends WarrenError {
  override name = 'FunctionFailedError';

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_FUNCTION_FAILED', message, options);
  }
}
