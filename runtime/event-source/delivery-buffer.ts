import type { ConsumeMessage } from 'amqplib';
import { encodedSize } from './encoded-size.ts';

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

interface Waiting {
  delivery: ConsumeMessage;
  bytes: number;
  at: number;
  alone: boolean;
}

/** Places of taken deliveries in front of the others: to remove each at once would move all others. */
const maxTaken = 512;

/** Deliveries of one channel in the order of arrival, taken in batches. */
export class Deliveries {
  /** Each with its size in bytes, computed once, and its time of arrival. Those before `#first` were taken, and are undefined. */
  #waiting: (Waiting | undefined)[] = [];
  #first = 0;
  #bytes = 0;
  #ended = false;
  /** The call of `take` that waits, and the number of messages or bytes that it waits for. */
  #waiter: { wake: () => void; size: number; bytes: number } | undefined;

  /** Number of deliveries that wait. */
  get length(): number {
    return this.#waiting.length - this.#first;
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
    const bytes = encodedSize(delivery);
    this.#waiting.push({ delivery, bytes, at, alone });
    this.#bytes += bytes;
    const waiter = this.#waiter;
    if (!waiter) return;
    const enough = this.length >= waiter.size || this.#bytes > waiter.bytes;
    if (enough || alone) waiter.wake();
  }

  /** Ends the deliveries: `take` returns the rest, then undefined. */
  end(): void {
    this.#ended = true;
    this.#waiter?.wake();
  }

  /** Drops all waiting deliveries. The broker has them again, or will have them soon. */
  clear(): void {
    this.#waiting = [];
    this.#first = 0;
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
    while (this.length === 0) {
      if (this.#ended) return undefined;
      await this.#change(1, 0, limits.idleMs);
      if (limits.idleMs !== undefined) break;
    }
    const closesAt = (this.#waiting[this.#first]?.at ?? 0) + limits.windowMs;
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
    const end = this.#first + count;
    const since = this.#waiting[this.#first]?.at ?? performance.now();
    const deliveries: ConsumeMessage[] = [];
    let sum = 0;
    for (let at = this.#first; at < end; at += 1) {
      const { delivery, bytes } = this.#waiting[at] as Waiting;
      this.#waiting[at] = undefined;
      deliveries.push(delivery);
      sum += bytes;
    }
    this.#bytes -= sum;
    this.#first = end;
    if (end === this.#waiting.length) {
      this.#waiting = [];
      this.#first = 0;
    } else if (end > maxTaken) {
      this.#waiting = this.#waiting.slice(end);
      this.#first = 0;
    }
    return { deliveries, bytes: sum, since };
  }

  #fit(limits: BatchLimits): { count: number; full: boolean } {
    let sum = 0;
    let count = 0;
    for (let at = this.#first; at < this.#waiting.length; at += 1) {
      const { bytes, alone } = this.#waiting[at] as Waiting;
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
