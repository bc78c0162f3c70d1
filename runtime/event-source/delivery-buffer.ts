import type { ConsumeMessage } from 'amqplib';
import { maxNestedHeaders } from '../amqp/header-size.ts';
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
}

/** Deliveries that go into one call. */
export interface Batch {
  deliveries: ConsumeMessage[];
  /** Upper bound for the encoded event. It exceeds the limit only if a single message does. */
  bytes: number;
  /** When the first of them arrived, by `performance.now`. */
  since: number;
}

/** Deliveries of one channel in the order of arrival, taken in batches. */
export class Deliveries {
  /** Each with its size in bytes, computed once, and its time of arrival. */
  readonly #waiting: { delivery: ConsumeMessage; bytes: number; at: number; alone: boolean }[] = [];
  #bytes = 0;
  #ended = false;
  /** The call of `take` that waits, and the number of messages or bytes that it waits for. */
  #waiter: { wake: () => void; size: number; bytes: number } | undefined;

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

  /**
   * Waits for a batch. A full batch is returned at once. A redelivered message is a batch of its own, so that it cannot harm its
   * neighbors if it caused the failure of its last call.
   *
   * @returns undefined when the deliveries have ended and none is left.
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
      // `clear` was called while the window was open.
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

/** Upper bound for the bytes of a delivery in the event: base64, properties, and headers as lists of byte values. */
export function encodedSize({ content, fields, properties }: ConsumeMessage): number {
  const base64 = Math.ceil(content.length / 3) * 4;
  return base64 + 1000 + headerSize(properties) + headerSize([fields.exchange, fields.routingKey]);
}

function headerSize(value: unknown, depth = 0): number {
  // Headers begin two levels down. Values that they nest more deeply are null in the event.
  if (value === undefined || value === null || depth > maxNestedHeaders + 2) return 24;
  if (typeof value === 'string') return Buffer.byteLength(value) * 4 + 12;
  if (typeof value !== 'object') return 24;
  if (Buffer.isBuffer(value)) return value.length * 4 + 12;
  const record = value as Record<string, unknown>;
  let sum = 0;
  for (const key of Object.keys(record)) sum += key.length + 4 + headerSize(record[key], depth + 1);
  return sum;
}
