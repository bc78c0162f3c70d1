import { UnavailableError, WarrenError } from '../base/errors.ts';
import type { RabbitMQEvent } from '../messages/event.ts';

/**
 * Calls a function with an event and resolves with its result when the function has succeeded. The host asks it for verdicts
 * (`verdictsContext`).
 *
 * @throws HostUnavailableError if the call did not reach the function, its subclass FunctionUnavailableError if the function threw
 *   UnavailableError; any other error if the function failed.
 */
export interface Invoke {
  (event: RabbitMQEvent): Promise<unknown>;
  /** Calls with an earlier deadline than the function's own time limit, in milliseconds since 1970. */
  callUntil?: (event: RabbitMQEvent, until: number) => Promise<unknown>;
  /** Creates the calls of one consumer, which makes them one after the other; missing if none can be sent ahead. */
  lane?: () => LaneInvoke;
}

/** The calls of one consumer. */
export interface LaneInvoke extends Invoke {
  /**
   * Sends a call before the one in front of it has ended. It begins when that has ended without a failure.
   *
   * @param took receives the milliseconds that it took from its beginning to its end, unless its process ended before.
   * @returns the result, as of any call, or NotBegunError; undefined if no call of this lane is in flight, or it cannot be sent now.
   */
  ahead(event: RabbitMQEvent, took?: (ms: number) => void): Promise<unknown> | undefined;
  /** Takes back the calls that have not begun; their results are NotBegunError. */
  recall(): void;
}

/**
 * The call has to be made again with the same messages, which did not cause the failure: it did not reach the function, because
 * the host is unavailable or refuses calls for now.
 */
export class HostUnavailableError extends WarrenError {
  override name = 'HostUnavailableError';

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_HOST_UNAVAILABLE', message, options);
  }
}

/** A call that was sent ahead has not begun: the one in front of it failed, its process ended, or it was taken back. */
export class NotBegunError extends HostUnavailableError {
  override name = 'NotBegunError';
}

/** The function was called and threw UnavailableError: its messages are retried for a day, by the policy of their queue. */
export class FunctionUnavailableError extends HostUnavailableError {
  override name = 'FunctionUnavailableError';
}

/** The function was called and failed: it threw, crashed or took too long. */
export class FunctionFailedError extends WarrenError {
  override name = 'FunctionFailedError';

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_FUNCTION_FAILED', message, options);
  }
}

/** The function was called and did not end in time. It may wait for a dependency that does not answer, so the message is not at fault. */
export class FunctionLateError extends FunctionFailedError {
  override name = 'FunctionLateError';

  constructor(functionName: string) {
    const text = `${functionName} took too long`;
    super(text, { cause: new UnavailableError(functionName, text) });
  }
}
