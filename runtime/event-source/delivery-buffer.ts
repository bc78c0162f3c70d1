import type { ConsumeMessage } from 'amqplib';
import { maxNestedHeaders } from '../amqp/header-size.ts';

/** When a batch is full. */
export interface BatchLimits {
  /** Messages. */
  size: number;
  /** Milliseconds to wait for more from when the first came, 0 for none. */
  windowMs: number;
  /** Bytes of the encoded event. */
  bytes: number;
}

/** Deliveries that go into one call. */
export interface Batch {
  deliveries: ConsumeMessage[];
  /** Upper bound for the encoded event. It exceeds the limit only if a single message does. */
  bytes: number;
  /** When the first of them came, by `performance.now`. */
  since: number;
}

/** Deliveries of one channel in the order they came, taken out in batches. */
export class Deliveries {
  /** With the bytes each takes, reckoned once, and when it came. */
  readonly #waiting: { delivery: ConsumeMessage; bytes: number; at: number }[] = [];
  #bytes = 0;
  #ended = false;
  /** The call of `take` that waits, and the number of messages or bytes that it waits for. */
  #waiter: { wake: () => void; size: number; bytes: number } | undefined;

  push(delivery: ConsumeMessage): void {
    if (this.#ended) return;
    const bytes = encodedSize(delivery);
    this.#waiting.push({ delivery, bytes, at: performance.now() });
    this.#bytes += bytes;
    const waiter = this.#waiter;
    if (!waiter) return;
    const enough = this.#waiting.length >= waiter.size || this.#bytes > waiter.bytes;
    if (enough || delivery.fields.redelivered) waiter.wake();
  }

  /** No more will come: `take` gives what is left, then nothing. */
  end(): void {
    this.#ended = true;
    this.#waiter?.wake();
  }

  /** Lets go of what waits; the broker has it again, or soon will. */
  clear(): void {
    this.#waiting.length = 0;
    this.#bytes = 0;
    this.end();
  }

  /**
   * Waits for a batch. A full one goes at once; a redelivered message goes alone, so that whatever it did to the last
   * call it was in, it does to no neighbour.
   *
   * @returns undefined when deliveries have ended and none is left.
   */
  async take(limits: BatchLimits): Promise<Batch | undefined> {
    while (this.#waiting.length === 0) {
      if (this.#ended) return undefined;
      await this.#change(1, 0);
    }
    const closesAt = (this.#waiting[0]?.at ?? 0) + limits.windowMs;
    for (;;) {
      const { count, full } = this.#fit(limits);
      const left = closesAt - performance.now();
      // Cleared while the window was open.
      if (count === 0) return undefined;
      if (full || this.#ended || left <= 0) return this.#takeOut(count);
      await this.#change(limits.size, limits.bytes, left);
    }
  }

  #takeOut(count: number): Batch {
    const taken = this.#waiting.splice(0, count);
    const bytes = taken.reduce((sum, each) => sum + each.bytes, 0);
    this.#bytes -= bytes;
    const deliveries = taken.map(({ delivery }) => delivery);
    return { deliveries, bytes, since: taken[0]?.at ?? performance.now() };
  }

  #fit(limits: BatchLimits): { count: number; full: boolean } {
    let sum = 0;
    let count = 0;
    for (const { delivery, bytes } of this.#waiting) {
      sum += bytes;
      const { redelivered } = delivery.fields;
      if (count > 0 && (sum > limits.bytes || redelivered)) return { count, full: true };
      count += 1;
      if (count >= limits.size || redelivered) return { count, full: true };
    }
    return { count, full: false };
  }

  /** Resolves when so much is there, when a redelivered message comes, at the end, or when the time is up. */
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

/** Upper bound for the bytes of a delivery in the event: base64, properties, and headers as lists of byte values. */
export function encodedSize({ content, fields, properties }: ConsumeMessage): number {
  const base64 = Math.ceil(content.length / 3) * 4;
  return base64 + 1000 + headerSize(properties) + headerSize([fields.exchange, fields.routingKey]);
}

function headerSize(value: unknown, depth = 0): number {
  // Headers are two levels down, and what they nest deeper than that is null in the event.
  if (value === undefined || value === null || depth > maxNestedHeaders + 2) return 24;
  if (typeof value === 'string') return Buffer.byteLength(value) * 4 + 12;
  if (typeof value !== 'object') return 24;
  if (Buffer.isBuffer(value)) return value.length * 4 + 12;
  const record = value as Record<string, unknown>;
  let sum = 0;
  for (const key of Object.keys(record)) sum += key.length + 4 + headerSize(record[key], depth + 1);
  return sum;
}
