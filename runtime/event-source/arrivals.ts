/** Milliseconds between two looks at the clock. */
const intervalMs = 100;

/**
 * Knows when a delivery can have arrived that is read now. While a function blocks the event loop of this process, or the process is
 * suspended, deliveries wait to be read, and the time limits of their callers go on.
 */
export class Arrivals {
  readonly #timer: NodeJS.Timeout;
  /** When the loop was last free, by `performance.now`. */
  #free = performance.now();
  /** When the block began that has just ended. */
  #blockedSince: number | undefined;

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#blockedSince = this.#isBlocked(now) ? this.#free : undefined;
      this.#free = now;
    }, intervalMs).unref();
  }

  /** The earliest time at which what is read now can have arrived, by `performance.now`. */
  earliest(): number {
    const now = performance.now();
    // The timer may not have run since the end of the block.
    return (this.#isBlocked(now) ? this.#free : this.#blockedSince) ?? now;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
  }

  #isBlocked(now: number): boolean {
    return now - this.#free > 2 * intervalMs;
  }
}
