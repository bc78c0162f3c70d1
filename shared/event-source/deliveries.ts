import type { ConsumeMessage } from 'amqplib';

/** When a batch is full. */
export interface BatchLimits {
  /** Messages. */
  size: number;
  /** Milliseconds to wait for more after the first, 0 for none. */
  windowMs: number;
  /** Bytes of the encoded event. */
  bytes: number;
}

/** Deliveries of one channel in the order they came, taken out in batches. */
export class Deliveries {
  readonly #waiting: ConsumeMessage[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  push(delivery: ConsumeMessage): void {
    if (this.#ended) return;
    this.#waiting.push(delivery);
    this.#wake?.();
  }

  /** No more will come: `take` gives what is left, then nothing. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** Lets go of what waits; the broker has it again, or soon will. */
  clear(): void {
    this.#waiting.length = 0;
    this.end();
  }

  /**
   * Waits for a batch. A full one goes at once; a redelivered message goes alone, so that whatever it did to the last
   * call it was in, it does to no neighbour.
   *
   * @returns undefined when deliveries have ended and none is left.
   */
  async take(limits: BatchLimits): Promise<ConsumeMessage[] | undefined> {
    while (this.#waiting.length === 0) {
      if (this.#ended) return undefined;
      await this.#change();
    }
    const closesAt = performance.now() + limits.windowMs;
    for (;;) {
      const { count, full } = this.#fit(limits);
      const left = closesAt - performance.now();
      // Cleared while the window was open.
      if (count === 0) return undefined;
      if (full || this.#ended || left <= 0) return this.#waiting.splice(0, count);
      await this.#change(left);
    }
  }

  #fit(limits: BatchLimits): { count: number; full: boolean } {
    let bytes = 0;
    let count = 0;
    for (const delivery of this.#waiting) {
      bytes += encodedSize(delivery);
      if (count > 0 && (bytes > limits.bytes || delivery.fields.redelivered)) return { count, full: true };
      count += 1;
      if (count >= limits.size || delivery.fields.redelivered) return { count, full: true };
    }
    return { count, full: false };
  }

  /** Resolves at the next push or end, or when the time is up. */
  async #change(ms?: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (ms !== undefined) timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    this.#wake = undefined;
  }
}

/** Bytes a delivery takes in the event, at the most: base64, properties, and headers as lists of byte values. */
export function encodedSize({ content, fields, properties }: ConsumeMessage): number {
  const base64 = Math.ceil(content.length / 3) * 4;
  return base64 + 1000 + headerSize(properties) + headerSize([fields.exchange, fields.routingKey]);
}

function headerSize(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value) * 4 + 12;
  if (Buffer.isBuffer(value)) return value.length * 4 + 12;
  if (typeof value !== 'object' || value === null) return 24;
  return Object.entries(value).reduce((sum, [key, each]) => sum + key.length + 4 + headerSize(each), 0);
}
