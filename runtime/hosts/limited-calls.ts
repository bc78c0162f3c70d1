import { Deadlines, type Limited } from '../base/deadlines.ts';

interface Call extends Limited {
  fail(error: unknown): void;
}

/** The calls of one function that are in flight, with their time limits. */
export class LimitedCalls {
  readonly #calls = new Deadlines<Call>();
  readonly #late: () => Error;
  readonly #failing: AbortSignal | undefined;

  /**
   * @param late creates the error for a call that is late.
   * @param failing fails the calls in flight when it aborts, with its reason.
   */
  constructor(late: () => Error, failing: AbortSignal | undefined) {
    this.#late = late;
    this.#failing = failing;
    failing?.addEventListener('abort', () => this.#fail());
  }

  /**
   * Makes a call. A late one continues, and its result or error is ignored.
   *
   * @param ms time limit in milliseconds.
   */
  run<T>(ms: number, make: () => T | PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const call: Call = {
        endsAt: performance.now() + ms,
        late: () => reject(this.#late()),
        fail: reject,
      };
      this.#calls.add(call);
      if (this.#failing?.aborted) this.#fail();
      // Also if it throws at once.
      const made = new Promise<T>((settle) => settle(make()));
      made.then(
        (result) => {
          this.#calls.delete(call);
          resolve(result);
        },
        (error: unknown) => {
          this.#calls.delete(call);
          reject(error);
        },
      );
    });
  }

  /** One turn later: if a call fails for the same reason, its own error has more detail. */
  #fail(): void {
    setImmediate(() => {
      for (const call of this.#calls.open) call.fail(this.#failing?.reason);
    });
  }
}
