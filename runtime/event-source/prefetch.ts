/** Work to have in hand beside what is being worked on, in milliseconds: enough to hide the way to the broker and back. */
const reserveMs = 250;
const mostMessages = 300;
/** Of bodies to have in hand, at the most: RabbitMQ bounds by count only, and a process has to hold what it was given. */
const mostBytes = 64_000_000;
/** Calls between two looks at it. */
const every = 10;

/**
 * How many messages a consumer should have in hand. A function that takes a millisecond gets many, so that it never waits
 * for the broker; one that takes a second gets two batches, so that other workers have some to do too. Large messages are
 * fewer, down to one.
 */
export class Prefetch {
  readonly #batchSize: number;
  readonly #most: number;
  readonly #mostBytes: number;
  #msPerMessage: number | undefined;
  #bytesPerMessage = 0;
  #calls = 0;
  #value: number;

  /** @param concurrency how many consumers share the work, default 1: together they hold no more than one would. */
  constructor(batchSize: number, concurrency = 1) {
    this.#batchSize = batchSize;
    this.#most = Math.max(Math.ceil(mostMessages / concurrency), 4 * batchSize);
    this.#mostBytes = mostBytes / concurrency;
    this.#value = 2 * batchSize;
  }

  get value(): number {
    return this.#value;
  }

  /**
   * Takes note of a call that succeeded.
   *
   * @param bytes of the bodies of all its messages.
   * @returns whether `value` has changed; small changes are not worth a new subscription.
   */
  learn(messages: number, ms: number, bytes: number): boolean {
    const latest = ms / messages;
    this.#msPerMessage = this.#msPerMessage === undefined ? latest : this.#msPerMessage * 0.8 + latest * 0.2;
    const size = bytes / messages;
    // Larger ones count at once: what was asked for is on its way.
    this.#bytesPerMessage = Math.max(size, this.#bytesPerMessage * 0.8 + size * 0.2);
    const fitting = Math.max(1, Math.floor(this.#mostBytes / Math.max(1, this.#bytesPerMessage)));
    this.#calls += 1;
    if (this.#value > fitting * 1.5) {
      this.#value = fitting;
      return true;
    }
    if (this.#calls % every !== 0) return false;
    const least = 2 * this.#batchSize;
    const wanted = Math.min(
      this.#most,
      fitting,
      Math.max(least, Math.ceil(reserveMs / Math.max(0.01, this.#msPerMessage))),
    );
    if (wanted < this.#value * 1.5 && wanted > this.#value / 3) return false;
    this.#value = wanted;
    return true;
  }
}
