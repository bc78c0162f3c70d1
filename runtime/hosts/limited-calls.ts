import { Deadlines, type Limited } from '../base/deadlines.ts';
import { isPromise } from '../base/promises.ts';

export interface LimitedCallsOptions {
  /** Creates the error for a call that is late. */
  late: () => Error;
  /** Creates the error of a call from what the function threw, or from the reason of `failing`. */
  failure: (cause: unknown) => unknown;
  /** Fails the calls in flight when it aborts, with its reason. */
  failing?: AbortSignal | undefined;
}

/** The calls of one function that are in flight, with their time limits. */
export class LimitedCalls {
  readonly #calls = new Deadlines<Call>();
  readonly #options: LimitedCallsOptions;

  constructor(options: LimitedCallsOptions) {
    this.#options = options;
    options.failing?.addEventListener('abort', () => this.#fail());
  }

  /**
   * Makes a call. A late one continues, and its result or error is ignored.
   *
   * @param ms time limit in milliseconds.
   */
  run<T>(ms: number, make: () => T | PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = new Call(ms, this.#options, resolve as (result: unknown) => void, reject);
      this.#calls.add(call);
      if (this.#options.failing?.aborted) this.#fail();
      const done = (result: T) => {
        this.#calls.delete(call);
        call.resolve(result);
      };
      const failed = (error: unknown) => {
        this.#calls.delete(call);
        call.fail(error);
      };
      try {
        const made = make();
        if (isPromise(made)) Promise.resolve(made).then(done, failed);
        else done(made);
      } catch (error) {
        failed(error);
      }
    });
  }

  /** One turn later: if a call fails for the same reason, its own error has more detail. */
  #fail(): void {
    setImmediate(() => {
      for (const call of this.#calls.open) call.fail(this.#options.failing?.reason);
    });
  }
}

/** A call in flight. A class, because its functions would be objects of each call. */
class Call implements Limited {
  readonly endsAt: number;
  readonly resolve: (result: unknown) => void;
  readonly #reject: (error: unknown) => void;
  readonly #options: LimitedCallsOptions;
  // Fields of `Listed`, so that all calls have one hidden class.
  isListed = false;
  before: Call | undefined = undefined;
  after: Call | undefined = undefined;

  constructor(
    ms: number,
    options: LimitedCallsOptions,
    resolve: (result: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.endsAt = performance.now() + ms;
    this.#options = options;
    this.resolve = resolve;
    this.#reject = reject;
  }

  late(): void {
    this.#reject(this.#options.late());
  }

  fail(error: unknown): void {
    this.#reject(this.#options.failure(error));
  }
}
