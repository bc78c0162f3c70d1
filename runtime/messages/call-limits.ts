import type { Context } from 'aws-lambda';
import { recordOverdue } from './overdue-runs.ts';
import { CallError } from './reply.ts';
import { contextOf, type HandlerContext } from './settle.ts';

/** A longer timer fires at once, because Node keeps its milliseconds in 32 bits. */
const maxTimerMs = 2 ** 31 - 1;

/** The time limits of calls in flight. One timer serves them all, because a call is often shorter than the work of a timer. */
export class CallLimits {
  readonly #open = new Set<OpenCall>();
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Number.POSITIVE_INFINITY;

  /**
   * Runs a handler until its deadline. A handler that is late continues, and its result is ignored.
   *
   * @param until deadline in milliseconds since 1970, or Infinity.
   * @throws the error of the handler; CallError 504 at the deadline.
   */
  async run<T>(
    until: number,
    lambda: Context | undefined,
    handle: (context: HandlerContext) => Promise<T>,
  ): Promise<T> {
    const call = new OpenCall(until);
    const context = contextOf(call, lambda);
    if (until === Number.POSITIVE_INFINITY) return handle(context);
    this.#open.add(call);
    this.#fireAt(until);
    const handling = handle(context);
    try {
      return await Promise.race([handling, call.late]);
    } finally {
      this.#open.delete(call);
      if (call.isLate) recordOverdue(handling);
    }
  }

  #fireAt(until: number): void {
    if (until >= this.#firesAt) return;
    clearTimeout(this.#timer);
    this.#firesAt = until;
    const ms = Math.min(maxTimerMs, Math.max(0, until - Date.now()));
    // The timer stays when its call is done, and must not keep the process alive.
    this.#timer = setTimeout(() => this.#fire(), ms).unref();
  }

  #fire(): void {
    this.#firesAt = Number.POSITIVE_INFINITY;
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const call of this.#open) {
      if (call.until <= now) call.end();
      else next = Math.min(next, call.until);
    }
    this.#fireAt(next);
  }
}

class OpenCall {
  readonly until: number;
  readonly late: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  #ending: AbortController | undefined;
  #error: Error | undefined;

  constructor(until: number) {
    this.until = until;
    this.late = new Promise((_, reject) => {
      this.#fail = reject;
    });
  }

  /** Made at its first use: most handlers do not need it. */
  get signal(): AbortSignal {
    this.#ending ??= new AbortController();
    if (this.#error) this.#ending.abort(this.#error);
    return this.#ending.signal;
  }

  get isLate(): boolean {
    return this.#error !== undefined;
  }

  end(): void {
    this.#error = new CallError(504, 'No answer in time', 'the method took too long');
    this.#ending?.abort(this.#error);
    this.#fail(this.#error);
  }
}
