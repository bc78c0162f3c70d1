import type { Batch } from '../delivery-buffer.ts';
import type { Mapping } from '../mapping.ts';
import type { Observer } from '../observer.ts';
import type { Subscription } from '../subscription.ts';
import type { Tokens } from './tokens.ts';

/** Milliseconds for which tokens are held while no message arrives: RabbitMQ's limit for that is 30 minutes. */
const idleMs = 600_000;

export interface LimitedBatchesOptions {
  mapping: Mapping;
  observer: Observer;
  subscription: Subscription;
  tokens: Tokens;
}

/**
 * The batches of a queue with a limit. It takes tokens first, and then at most as many messages. So the messages that wait for the
 * limit are in the queue, whichever worker has the next token.
 */
export class LimitedBatches {
  /** No call is sent ahead: it might begin when its tokens are back. */
  readonly isOpen = false;
  readonly #options: LimitedBatchesOptions;

  constructor(options: LimitedBatchesOptions) {
    this.#options = options;
  }

  /** The next batch, whose tokens are used; undefined when the subscription has ended. */
  async next(): Promise<Batch | undefined> {
    const { subscription, tokens } = this.#options;
    const { ended, closed, deliveries } = subscription;
    while (!ended.aborted && !deliveries.hasEnded) {
      if (tokens.held === 0) await this.#take();
      if (ended.aborted || deliveries.hasEnded) return undefined;
      const batch = await this.#admit(tokens.held);
      const count = batch?.deliveries.length ?? 0;
      tokens.keep(count + deliveries.length);
      if (!batch) continue;
      await tokens.use(count);
      // The broker has them again.
      return closed.aborted ? undefined : batch;
    }
    return undefined;
  }

  /** Returns the tokens that were not used. */
  async close(): Promise<void> {
    await this.#options.tokens.close();
  }

  fill(): void {}

  took(): void {}

  /** Takes up to so many messages from the queue. Those that it got before and that no batch has yet are among them. */
  async #admit(count: number): Promise<Batch | undefined> {
    const { mapping, subscription } = this.#options;
    const { consumer, deliveries, closed } = subscription;
    const limits = { ...subscription.limits(), size: count, idleMs };
    if (deliveries.length > 0) return deliveries.take({ ...limits, windowMs: 0 });
    await consumer.start(mapping.queue, count);
    const batch = await deliveries.take(limits);
    if (!closed.aborted) await consumer.cancel();
    return batch;
  }

  async #take(): Promise<void> {
    const { mapping, observer, subscription, tokens } = this.#options;
    observer.limited?.(mapping, 1);
    try {
      await tokens.take(subscription.limits().size, subscription.ended);
    } finally {
      observer.limited?.(mapping, -1);
    }
  }
}
