import type { Context } from 'aws-lambda';

/** What a handler gets besides its message. */
export interface HandlerContext {
  /** Aborted when the time for the message is over: the message is then retried, and a result comes too late. */
  signal: AbortSignal;
  /** Lambda's context of the call; undefined if the function was called without one. */
  lambda: Context | undefined;
}

/** Key of the object that has a context's signal. */
const timeOf = Symbol('time');

interface Timed {
  [timeOf]: { readonly signal: AbortSignal };
}

/** One getter for all contexts: with a getter of its own, each of them would have a hidden class of its own. */
const lazySignal = {
  get(this: Timed) {
    return this[timeOf].signal;
  },
  enumerable: true,
  configurable: true,
};

/**
 * The context of the messages of a call. Its signal is made at its first use: most handlers do not need it.
 *
 * @param time has the signal.
 */
export function contextOf(time: Timed[typeof timeOf], lambda: Context | undefined): HandlerContext {
  // A property of its own, so that `{ ...context }` has it too.
  return Object.defineProperty({ lambda, [timeOf]: time } as unknown as HandlerContext, 'signal', lazySignal);
}
