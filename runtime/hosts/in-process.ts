import type { ClientContext, Context } from 'aws-lambda';
import type { ErrorCode } from '../base/error-codes.ts';
import { FunctionFailedError, HostUnavailableError } from '../event-source/invoke.ts';
import { verdictsContext } from '../messages/verdicts.ts';

/** A function, as its module exports it. */
export type Handler<Event = unknown> = (event: Event, context: Context) => unknown;

export interface InProcessOptions<Event> {
  functionName: string;
  /** Gives the handler; asked at the first call, and again after it failed. */
  load: () => Promise<Handler<Event>>;
  /** How long a call may take in milliseconds, the wait for the handler included. */
  timeoutMs: number;
}

/** The function was called and did not end in time. */
export class FunctionLateError extends FunctionFailedError {
  override name = 'FunctionLateError';

  constructor(functionName: string) {
    super(`${functionName} took too long`);
  }
}

/**
 * Calls a function in this process. A call that takes too long counts as failed and cannot be stopped: unlike on Lambda, it may
 * still finish, beside the next call with the same message.
 *
 * @returns a function that makes the call; it resolves with the function's result, and throws FunctionLateError if that did not
 *   come in time, HostUnavailableError if the function threw UnavailableError, FunctionFailedError if it threw any other error.
 */
export function inProcess<Event>(options: InProcessOptions<Event>): (event: Event) => Promise<unknown> {
  const { functionName, load, timeoutMs } = options;
  let handler: Promise<Handler<Event>> | undefined;
  const loaded = () => {
    handler ??= load().catch((error: unknown) => {
      handler = undefined;
      throw error;
    });
    return handler;
  };
  return async (event) => {
    const deadline = Date.now() + timeoutMs;
    const context = makeContext(functionName, deadline);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new FunctionLateError(functionName)), timeoutMs);
    });
    try {
      const call = await Promise.race([loaded(), late]);
      return await Promise.race([call(event, context), late]);
    } catch (cause) {
      if (cause instanceof FunctionFailedError) throw cause;
      const { message, code }: NodeJS.ErrnoException =
        cause instanceof Error ? cause : new Error(String(cause));
      // By its code: a bundle has classes of its own.
      if (code === ('ERR_UNAVAILABLE' satisfies ErrorCode)) {
        throw new HostUnavailableError(`${functionName} can't work now: ${message}`, { cause });
      }
      throw new FunctionFailedError(`${functionName} failed: ${message}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Lambda's context object, as far as it makes sense outside of Lambda. */
export function makeContext(functionName: string, deadline: number): Context {
  const nothing = () => undefined;
  return {
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:local:000000000000:function:${functionName}`,
    memoryLimitInMB: '0',
    awsRequestId: crypto.randomUUID(),
    logGroupName: '',
    logStreamName: '',
    callbackWaitsForEmptyEventLoop: false,
    // This host makes the copies of failed messages.
    clientContext: verdictsContext as unknown as ClientContext,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    done: nothing,
    fail: nothing,
    succeed: nothing,
  };
}
