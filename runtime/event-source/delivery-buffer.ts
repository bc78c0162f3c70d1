import type { ConsumeMessage } from 'amqplib';
import { encodedSize } from './encoded-size.ts';
import { noteArrival } from './expiring.ts';

/** Lambda takes 6 MB in one call. */
export const maxEventBytes = 6_000_000;
/** Bytes of base64 for a byte. */
export const base64Factor = 4 / 3;

/** When a batch is full. */
export interface BatchLimits {
  /** Messages. */
  size: number;
  /** Milliseconds to wait for more messages after the first one arrived, 0 for none. */
  windowMs: number;
  /** Bytes of the encoded event. */
  bytes: number;
  /** Milliseconds to wait for the first message, default without limit. */
  idleMs?: number | undefined;
}

/** Deliveries that go into one call. */
export interface Batch {
  deliveries: ConsumeMessage[];
  /** Upper bound for the encoded event. It exceeds the limit only if a single message does. */
  bytes: number;
  /** When the first of them arrived, by `performance.now`. */
  since: number;
  /** Result of its call if that was sent ahead of its turn. */
  sent?: Promise<unknown> | undefined;
  /** Milliseconds that this call took: the worker does not know when it began. */
  sentMs?: number;
}

/** The ids of the first messages of a batch: a log line must not contain ten thousand. */
export function idsOf(deliveries: readonly ConsumeMessage[]): unknown[] {
  return deliveries.slice(0, 20).map(({ properties }) => properties.messageId);
}

/** Deliveries of one channel in the order of arrival, taken in batches. */
export class Deliveries {
  /** Each with its size in bytes, computed once, and its time of arrival. */
  readonly #waiting: { delivery: ConsumeMessage; bytes: number; at: number; alone: boolean }[] = [];
  #bytes = 0;
  #ended = false;
  /** The call of `take` that waits, and the number of messages or bytes that it waits for. */
  #waiter: { wake: () => void; size: number; bytes: number } | undefined;

  /** Number of deliveries that wait. */
  get length(): number {
    return this.#waiting.length;
  }

  /** Whether it takes no more deliveries. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Bytes of the deliveries that wait, as `Batch.bytes`. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param alone whether it is a batch of its own, default if it is redelivered.
   * @param at time of its arrival by `performance.now`, default now.
   */
  push(delivery: ConsumeMessage, alone = delivery.fields.redelivered, at = performance.now()): void {
    if (this.#ended) return;
    noteArrival(delivery);
    const bytes = encodedSize(delivery);
    this.#waiting.push({ delivery, bytes, at, alone });
    this.#bytes += bytes;
    const waiter = this.#waiter;
    if (!waiter) return;
    const enough = this.#waiting.length >= waiter.size || this.#bytes > waiter.bytes;
    if (enough || alone) waiter.wake();
  }

  /** Ends the deliveries: `take` returns the rest, then undefined. */
  end(): void {
    this.#ended = true;
    this.#waiter?.wake();
  }

  /** Drops all waiting deliveries. The broker has them again, or will have them soon. */
  clear(): void {
    this.#waiting.length = 0;
    this.#bytes = 0;
    this.end();
  }

  /** A batch that is full already; undefined if `take` may have to wait for one. */
  takeNow(limits: BatchLimits): Batch | undefined {
    const { count, full } = this.#fit(limits);
    return full ? this.#takeOut(count) : undefined;
  }

  /**
   * Waits for a batch. A full batch is returned at once. A redelivered message is a batch of its own, so that it cannot harm its
   * neighbors if it caused the failure of its last call.
   *
   * @returns undefined when the deliveries have ended and none is left, or when none has arrived in time.
   */
  async take(limits: BatchLimits): Promise<Batch | undefined> {
    const now = this.takeNow(limits);
    if (now) return now;
    while (this.#waiting.length === 0) {
      if (this.#ended) return undefined;
      await this.#change(1, 0, limits.idleMs);
      if (limits.idleMs !== undefined) break;
    }
    const closesAt = (this.#waiting[0]?.at ?? 0) + limits.windowMs;
    for (;;) {
      const { count, full } = this.#fit(limits);
      const left = closesAt - performance.now();
      // `clear` was called while the window was open.
      if (count === 0) return undefined;
      if (full || this.#ended || left <= 0) return this.#takeOut(count);
      await this.#change(limits.size, limits.bytes, left);
    }
  }

  #takeOut(count: number): Batch {
    const taken = this.#waiting.splice(0, count);
    const deliveries: ConsumeMessage[] = [];
    let sum = 0;
    for (const { delivery, bytes } of taken) {
      deliveries.push(delivery);
      sum += bytes;
    }
    this.#bytes -= sum;
    return { deliveries, bytes: sum, since: taken[0]?.at ?? performance.now() };
  }

  #fit(limits: BatchLimits): { count: number; full: boolean } {
    let sum = 0;
    let count = 0;
    for (const { bytes, alone } of this.#waiting) {
      sum += bytes;
      if (count > 0 && (sum > limits.bytes || alone)) return { count, full: true };
      count += 1;
      if (count >= limits.size || alone) return { count, full: true };
    }
    return { count, full: false };
  }

  /** Resolves when a limit is reached, a redelivered message arrives, the deliveries end, or the time is up. */
  async #change(size: number, bytes: number, ms?: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((wake) => {
      this.#waiter = { wake, size, bytes };
      if (ms !== undefined) timer = setTimeout(wake, ms);
    });
    clearTimeout(timer);
    this.#waiter = undefined;
  }
}
