import type { Context } from 'aws-lambda';
import type { Deadlines, Limited } from '../base/deadlines.ts';
import { isPromise } from '../base/promises.ts';
import { contextOf, type HandlerContext } from './handler-context.ts';
import { recordOverdue } from './overdue-runs.ts';
import { CallError } from './reply.ts';

/** The time of a call in flight. */
export class CallTime implements Limited {
  readonly endsAt: number;
  // Fields of `Listed`, so that all calls have one hidden class.
  isListed = false;
  before: CallTime | undefined = undefined;
  after: CallTime | undefined = undefined;
  readonly #fail: (error: Error) => void;
  #ending: AbortController | undefined;
  #error: Error | undefined;

  /**
   * @param ms until its deadline.
   * @param fail called at the deadline.
   */
  constructor(ms: number, fail: (error: Error) => void) {
    this.endsAt = performance.now() + ms;
    this.#fail = fail;
  }

  /** Made at its first use: most handlers do not need it. */
  get signal(): AbortSignal {
    this.#ending ??= new AbortController();
    if (this.#error) this.#ending.abort(this.#error);
    return this.#ending.signal;
  }

  late(): void {
    this.#error = new CallError(504, 'No answer in time', 'the method took too long');
    this.#ending?.abort(this.#error);
    this.#fail(this.#error);
  }
}

export interface TimedCall {
  /** Deadline in milliseconds since 1970, or Infinity. */
  until: number;
  lambda: Context | undefined;
  /** Of all calls of the function. */
  deadlines: Deadlines<CallTime>;
}

/**
 * Runs a handler until its deadline. A handler that is late continues, and its result is ignored. One promise besides that of the
 * handler, because a race and an `async` function have several.
 *
 * @param handle may return its result without a promise.
 * @throws the error of the handler; CallError 504 at the deadline.
 */
export function runCall<T>(
  { until, lambda, deadlines }: TimedCall,
  handle: (context: HandlerContext) => T | PromiseLike<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let handling: T | PromiseLike<T> | undefined;
    const time = new CallTime(until - Date.now(), (error) => {
      if (isPromise(handling)) recordOverdue(Promise.resolve(handling));
      reject(error);
    });
    const context = contextOf(time, lambda);
    // Before the handler: it may use up its time before it returns.
    if (until !== Number.POSITIVE_INFINITY) deadlines.add(time);
    const failed = (error: unknown) => {
      deadlines.delete(time);
      reject(error);
    };
    try {
      handling = handle(context);
    } catch (error) {
      failed(error);
      return;
    }
    if (!isPromise(handling)) {
      deadlines.delete(time);
      resolve(handling);
      return;
    }
    handling.then((result) => {
      deadlines.delete(time);
      resolve(result);
    }, failed);
  });
}
