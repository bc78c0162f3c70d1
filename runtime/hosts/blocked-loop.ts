/** Milliseconds between two looks at the clock. */
const intervalMs = 500;

/**
 * Reports when the event loop of this process was blocked: while a function computes, the process sends no heartbeats and
 * answers no probes. The report comes when the loop is free again.
 */
export class BlockedLoop {
  readonly #timer: NodeJS.Timeout;
  readonly #running = new Map<string, number>();
  /** Functions whose call began or was in flight since the last look: one of them has blocked the loop. */
  #suspects = new Set<string>();

  /**
   * @param limitMs shorter blocks are not reported.
   * @param report is called with the duration and the functions whose calls were in flight.
   */
  constructor(limitMs: number, report: (ms: number, functions: readonly string[]) => void) {
    let last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      const ms = now - last - intervalMs;
      last = now;
      if (ms > limitMs) report(Math.round(ms), [...this.#suspects]);
      this.#suspects = new Set(this.#running.keys());
    }, intervalMs).unref();
  }

  /** Runs a call of a function, and reports that function if the call blocks the loop. */
  during<T>(functionName: string, call: () => Promise<T>): Promise<T> {
    this.#count(functionName, 1);
    this.#suspects.add(functionName);
    const ended = () => this.#count(functionName, -1);
    try {
      const running = call();
      running.then(ended, ended);
      return running;
    } catch (error) {
      ended();
      throw error;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #count(functionName: string, change: 1 | -1): void {
    const count = (this.#running.get(functionName) ?? 0) + change;
    if (count > 0) this.#running.set(functionName, count);
    else this.#running.delete(functionName);
  }
}
