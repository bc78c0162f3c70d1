import type { ConsumeMessage } from 'amqplib';

/** Tokens that are remembered, over all limits of a process: more than any limit has. */
const maxRemembered = 20_000;

/**
 * Recognizes doubled tokens. A broker that is killed may hand a token over twice, and the limit would be exceeded for good. A token
 * passes the queues between two uses, which count that, so one that comes again with the same count is a second one.
 */
export class TokensSeen {
  /** By id, how often it had passed a queue when it came last. */
  readonly #passes = new Map<string, number>();

  /** Takes note of a token. @returns whether it is doubled. */
  isDouble({ fields, properties }: ConsumeMessage): boolean {
    const id = String(properties.messageId);
    const deaths = properties.headers?.['x-death'] ?? [];
    const passes = deaths.reduce((sum, { count }) => sum + count, 0);
    const before = this.#passes.get(id);
    this.#passes.delete(id);
    this.#passes.set(id, Math.max(passes, before ?? 0));
    if (this.#passes.size > maxRemembered) this.#forgetOldest();
    // One that was not used comes back as it was.
    return before !== undefined && passes <= before && !fields.redelivered;
  }

  #forgetOldest(): void {
    const [oldest] = this.#passes.keys();
    if (oldest !== undefined) this.#passes.delete(oldest);
  }
}
