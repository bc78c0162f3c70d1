/** Milliseconds after a hand-over before a partition that came back may be handed over again; it doubles up to the second. */
const [firstMs, maxMs] = [2000, 30 * 60_000];

/**
 * Slows down the hand-overs of a partition that comes back at once. A worker may count and take no partition, because it waits for its
 * calls after it lost its connection. Without a pause, the others would pass what is left around until the broker dead-letters the
 * messages in it, because each hand-over counts as a delivery.
 */
export class Handovers {
  #at = Number.NEGATIVE_INFINITY;
  #pauseMs = 0;

  /** When the last one was, by `performance.now`; -Infinity if there was none. */
  get at(): number {
    return this.#at;
  }

  /** Takes note of a hand-over if one is due. @returns whether it is. */
  take(now = performance.now()): boolean {
    const since = now - this.#at;
    if (since < this.#pauseMs) return false;
    this.#pauseMs = since < 2 * this.#pauseMs ? Math.min(2 * this.#pauseMs, maxMs) : firstMs;
    this.#at = now;
    return true;
  }
}
