/** Work to prefetch beside the work in flight, in milliseconds: enough to hide the round trip to the broker. */
const reserveMs = 250;
const maxMessages = 300;
/** Bytes of prefetched bodies: RabbitMQ limits only their number, and the process has to hold them. */
const maxBytes = 64_000_000;
/** Calls between two adjustments. */
const adjustmentInterval = 10;

/** A call that succeeded. */
export interface Success {
  messages: number;
  ms: number;
  /** Bytes of the bodies of all its messages. */
  bytes: number;
  /** Whether its first message had been delivered before. */
  redelivered: boolean;
}

/**
 * How many messages a consumer should prefetch. A function that takes a millisecond gets many, so that it never waits for the
 * broker; one that takes a second gets two batches, so that other workers have some to do too. Large messages are fewer, down
 * to one. Until the function has survived a new message, it gets one at a time.
 */
export class Prefetch {
  readonly #batchSize: number;
  readonly #max: number;
  readonly #maxBytes: number;
  #msPerMessage: number | undefined;
  #bytesPerMessage = 0;
  #calls = 0;
  #value: number;
  #slowStart = true;

  /** @param concurrency how many consumers share the work, default 1: together they prefetch no more than one would. */
  constructor(batchSize: number, concurrency = 1) {
    this.#batchSize = batchSize;
    this.#max = Math.max(Math.ceil(maxMessages / concurrency), 4 * batchSize);
    this.#maxBytes = maxBytes / concurrency;
    this.#value = 2 * batchSize;
  }

  /** Messages to prefetch after the slow start. */
  get value(): number {
    return this.#value;
  }

  /** Messages in the next batch. It is never more than the prefetch: a batch that cannot fill would wait for its window. */
  get batchSize(): number {
    return this.#slowStart ? 1 : Math.min(this.#batchSize, this.#value);
  }

  /**
   * Takes note of a call that succeeded.
   *
   * @returns whether to subscribe again with `value`.
   */
  succeeded({ messages, ms, bytes, redelivered }: Success): boolean {
    const changed = this.learn(messages, ms, bytes);
    const opensUp = this.#slowStart && !redelivered;
    if (opensUp) this.#slowStart = false;
    return opensUp || (changed && !this.#slowStart);
  }

  /**
   * Adapts `value` to a call.
   *
   * @param bytes of the bodies of all its messages.
   * @returns whether `value` has changed; small changes are not worth a new subscription.
   */
  learn(messages: number, ms: number, bytes: number): boolean {
    const latest = ms / messages;
    this.#msPerMessage = this.#msPerMessage === undefined ? latest : this.#msPerMessage * 0.8 + latest * 0.2;
    const size = bytes / messages;
    // Larger messages count at once, because those that were asked for are on their way.
    this.#bytesPerMessage = Math.max(size, this.#bytesPerMessage * 0.8 + size * 0.2);
    const fitting = Math.max(1, Math.floor(this.#maxBytes / Math.max(1, this.#bytesPerMessage)));
    this.#calls += 1;
    if (this.#value > fitting * 1.5) {
      this.#value = fitting;
      return true;
    }
    if (this.#calls % adjustmentInterval !== 0) return false;
    const least = 2 * this.#batchSize;
    const wanted = Math.min(
      this.#max,
      fitting,
      Math.max(least, Math.ceil(reserveMs / Math.max(0.01, this.#msPerMessage))),
    );
    if (wanted < this.#value * 1.5 && wanted > this.#value / 3) return false;
    this.#value = wanted;
    return true;
  }
}
