import type { Context } from 'aws-lambda';
import type { Deadlines, Limited } from '../base/deadlines.ts';
import { contextOf, type HandlerContext } from './handler-context.ts';
import { recordOverdue } from './overdue-runs.ts';
import { CallError } from './reply.ts';

/** The time of a call in flight. */
export class CallTime implements Limited {
  readonly endsAt: number;
  readonly over: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  #ending: AbortController | undefined;
  #error: Error | undefined;

  /** @param ms until its deadline. */
  constructor(ms: number) {
    this.endsAt = performance.now() + ms;
    this.over = new Promise((_, reject) => {
      this.#fail = reject;
    });
  }

  /** Made at its first use: most handlers do not need it. */
  get signal(): AbortSignal {
    this.#ending ??= new AbortController();
    if (this.#error) this.#ending.abort(this.#error);
    return this.#ending.signal;
  }

  get isOver(): boolean {
    return this.#error !== undefined;
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
 * Runs a handler until its deadline. A handler that is late continues, and its result is ignored.
 *
 * @throws the error of the handler; CallError 504 at the deadline.
 */
export async function runCall<T>(
  { until, lambda, deadlines }: TimedCall,
  handle: (context: HandlerContext) => Promise<T>,
): Promise<T> {
  const time = new CallTime(until - Date.now());
  const context = contextOf(time, lambda);
  if (until === Number.POSITIVE_INFINITY) return handle(context);
  deadlines.add(time);
  const handling = handle(context);
  try {
    return await Promise.race([handling, time.over]);
  } finally {
    deadlines.delete(time);
    if (time.isOver) recordOverdue(handling);
  }
}
