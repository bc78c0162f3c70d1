import type { ClientContext, Context } from 'aws-lambda';
import type { ErrorCode } from '../base/error-codes.ts';
import { thrownText } from '../base/thrown-text.ts';
import { eventFor, readsUnencoded } from '../base/unencoded.ts';
import { FunctionFailedError, FunctionLateError, FunctionUnavailableError } from '../event-source/invoke.ts';
import type { BodyLimited } from '../http/body-limit.ts';
import { verdictsContext } from '../messages/verdicts.ts';
import { LimitedCalls } from './limited-calls.ts';
import { RequestIds } from './request-ids.ts';

/** A function, as its module exports it. */
export interface Handler<Event = unknown> extends BodyLimited {
  (event: Event, context: Context): unknown;
}

export interface InProcessOptions<Event> {
  functionName: string;
  /** Loads the handler. It is called at the first call of the function, and again after it failed. */
  load: () => Promise<Handler<Event>>;
  /** Time limit of a call in milliseconds, including the time to load the handler. */
  timeoutMs: number;
  /** Fails the calls in flight when it aborts, with its reason as the cause. */
  failing?: AbortSignal | undefined;
}

/** Calls a function in this process; `callUntil` with an earlier deadline, in milliseconds since 1970. */
export interface InProcess<Event> {
  (event: Event): Promise<unknown>;
  callUntil(event: Event, until: number): Promise<unknown>;
}

/**
 * Calls a function in this process. A call that takes too long counts as failed and cannot be stopped: unlike on Lambda, it may
 * still finish, beside the next call with the same message.
 *
 * @returns a function that makes the call; it resolves with the function's result, and throws FunctionLateError if that did not
 *   come in time, FunctionUnavailableError if the function threw UnavailableError, FunctionFailedError if it threw any other error.
 *   Its method `callUntil` does the same with an earlier deadline.
 */
export function inProcess<Event>(options: InProcessOptions<Event>): InProcess<Event> {
  const { functionName, load, timeoutMs, failing } = options;
  const late = () => new FunctionLateError(functionName);
  const calls = new LimitedCalls({ late, failing, failure: (cause) => failureOf(functionName, cause) });
  let loading: Promise<Handler<Event>> | undefined;
  let handler: Handler<Event> | undefined;
  const loaded = async () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    handler = await loading;
    return handler;
  };
  const callLoaded = (
    handle: Handler<Event>,
    event: Event,
    deadline: number,
    now: number,
  ): Promise<unknown> =>
    calls.run(deadline - now, () => handle(eventFor(handle, event), makeContext(functionName, deadline)));
  const callUntil = (event: Event, until: number): Promise<unknown> => {
    const startedAt = Date.now();
    const deadline = Math.min(startedAt + timeoutMs, until);
    // A process that was blocked reads its calls late.
    if (until <= startedAt) return Promise.reject(late());
    if (handler) return callLoaded(handler, event, deadline, startedAt);
    return calls
      .run(deadline - startedAt, loaded)
      .then((handle) => callLoaded(handle, event, deadline, Date.now()));
  };
  const call = (event: Event) => callUntil(event, Number.POSITIVE_INFINITY);
  return readsUnencoded(Object.assign(call, { callUntil }));
}

function failureOf(functionName: string, cause: unknown): unknown {
  if (cause instanceof FunctionFailedError) return cause;
  const { message, code }: { message: unknown; code?: unknown } =
    cause instanceof Error ? cause : { message: cause };
  const text = thrownText(message);
  // By its code, because a bundle has its own classes.
  if (code === ('ERR_UNAVAILABLE' satisfies ErrorCode)) {
    return new FunctionUnavailableError(`${functionName} can't work now: ${text}`, { cause });
  }
  return new FunctionFailedError(`${functionName} failed: ${text}`, { cause });
}

const nothing = () => undefined;
const requestIds = new RequestIds();

/** Lambda's context object, as far as it makes sense outside of Lambda. */
export function makeContext(functionName: string, deadline: number): Context {
  return {
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:local:000000000000:function:${functionName}`,
    memoryLimitInMB: '0',
    awsRequestId: requestIds.next(),
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
