/** Work to prefetch beside the work in flight, in milliseconds: enough to hide the round trip to the broker. */
const reserveMs = 250;
/** For functions that take less than half a millisecond. With 300, the broker often had none left to send while an acknowledgement was on its way. */
const maxMessages = 600;
/** Calls between two reductions. */
const adjustmentInterval = 10;

export interface PrefetchOptions {
  /** Maximum number of messages in a batch. */
  batchSize: number;
  /** Number of consumers that share the work, default 1: together they prefetch no more than one would. */
  concurrency?: number | undefined;
  /** Limit for the bytes that wait for a call. */
  maxBytes: number;
  /**
   * Size of the largest message, for a consumer whose prefetch must not change, because another subscription would hand its
   * queue to another consumer. Its value is the one that always fits.
   */
  fixedFor?: number | undefined;
}

/** A call that succeeded. */
export interface Success {
  messages: number;
  ms: number;
  /** Bytes of all its messages with their headers. */
  bytes: number;
  /** Whether its first message had been delivered before. */
  redelivered: boolean;
}

/** The value of a prefetch that must not change: it always fits. */
export function fixedPrefetch(batchSize: number, maxBytes: number, fixedFor: number): number {
  return Math.max(1, Math.min(2 * batchSize, Math.floor(maxBytes / Math.max(1, fixedFor))));
}

/**
 * How many messages a consumer should prefetch. It starts with one, and doubles with each full batch that succeeded: until then
 * neither the size of the messages is known, nor whether the function survives them. A function that takes a millisecond gets
 * many in the end, so that it never waits for the broker; one that takes a second gets two batches, so that other workers have
 * some to do too. Large messages are fewer, down to one.
 */
export class Prefetch {
  /** Limit for the bytes that wait for a call. */
  readonly maxBytes: number;
  readonly #batchSize: number;
  readonly #max: number;
  readonly #isFixed: boolean;
  #msPerMessage: number | undefined;
  #bytesPerMessage = 0;
  #calls = 0;
  #value = 1;

  constructor({ batchSize, concurrency = 1, maxBytes, fixedFor }: PrefetchOptions) {
    this.#batchSize = batchSize;
    this.#max = Math.max(Math.ceil(maxMessages / concurrency), 4 * batchSize);
    this.maxBytes = maxBytes;
    this.#isFixed = fixedFor !== undefined;
    if (fixedFor !== undefined) this.#value = fixedPrefetch(batchSize, maxBytes, fixedFor);
  }

  /** Messages to prefetch. */
  get value(): number {
    return this.#value;
  }

  /** Messages in the next batch. It is never more than the prefetch: a batch that cannot fill would wait for its window. */
  get batchSize(): number {
    return Math.min(this.#batchSize, this.#value);
  }

  /**
   * Takes note of a call that succeeded.
   *
   * @returns whether `value` has changed. Small changes are not worth a new subscription, and neither is a larger prefetch
   *   while batches do not fill.
   */
  succeeded({ messages, ms, bytes, redelivered }: Success): boolean {
    if (this.#isFixed) return false;
    const isFull = messages >= this.batchSize;
    const latest = ms / messages;
    this.#msPerMessage = this.#msPerMessage === undefined ? latest : this.#msPerMessage * 0.8 + latest * 0.2;
    const size = bytes / messages;
    // Larger messages count at once, because those that were asked for are on their way.
    this.#bytesPerMessage = Math.max(size, this.#bytesPerMessage * 0.8 + size * 0.2);
    const fitting = Math.max(1, this.#fitting(this.#bytesPerMessage));
    if (this.#value > fitting * 1.5) return this.#change(fitting);
    this.#calls += 1;
    const reserve = Math.ceil(reserveMs / Math.max(0.01, this.#msPerMessage));
    const wanted = Math.min(this.#max, fitting, Math.max(2 * this.#batchSize, reserve));
    // The broker counts the deliveries of a redelivered message. Its success does not show that a neighbor succeeds.
    if (wanted >= this.#value * 1.5)
      return isFull && !redelivered && this.#change(Math.min(wanted, 2 * this.#value));
    return this.#calls % adjustmentInterval === 0 && wanted <= this.#value / 3 && this.#change(wanted);
  }

  #fitting(bytesPerMessage: number): number {
    return Math.floor(this.maxBytes / Math.max(1, bytesPerMessage));
  }

  #change(value: number): true {
    this.#value = value;
    return true;
  }
}
