import type { ConsumeMessage } from 'amqplib';
import { countOf } from '../../messages/received.ts';
import { maxBytesOf, sizeOf } from '../mapping.ts';
import type { OrderedMapping } from './ordered-options.ts';

/**
 * Bytes of the messages that a worker holds of a partition. The same for every worker: a broker puts returned messages behind those that
 * were returned before, so a worker has to take all that the one before it had.
 */
export const partitionBytes = 8_000_000;

/** Messages that a partition with `orderBy` prefetches, at most. Those of a key that waits are among them. */
const orderedMessages = 256;

/** Messages that a partition with `perKey` prefetches, at least and at most. */
const [minAhead, maxAhead] = [1000, 12_000];
/** Bytes that the broker may have to hold for a worker of such a partition that reads slowly, if there are more than the least. */
const aheadBytes = 64_000_000;
/** Messages after which the largest of them counts, and not what the queue allows. */
const sample = 30;
/** Deliveries of a message, at most, for which a backlog is returned: the broker counts each, and all workers may do it. */
const maxReturns = 3;
/** Milliseconds of a limit, at most, with which a partition is subscribed to anew: a subscription waits for its time. */
const maxPeriodMs = 5000;

/**
 * How many messages each partition of a queue prefetches. With `perKey`, the worker reads ahead past those of a busy key, and moves aside what
 * does not fit into its memory. To move a message costs the broker ten times as much as to hand it over, so it reads further if all of them are
 * small. The prefetch of a consumer does not change: another window needs another subscription.
 */
export class PartitionWindow {
  readonly #mapping: OrderedMapping;
  #seen = 0;
  #largest = 0;

  constructor(mapping: OrderedMapping) {
    this.#mapping = mapping;
  }

  /** Messages of a subscription that begins now. */
  get messages(): number {
    if (!this.#mapping.order.perKey) return orderedMessages;
    const allowed = maxBytesOf(this.#mapping);
    const largest = this.#isFixed || this.#seen < sample ? allowed : Math.min(this.#largest, allowed);
    return Math.max(minAhead, Math.min(maxAhead, Math.floor(aheadBytes / largest)));
  }

  /** Messages of a batch, of which a partition prefetches two. */
  get batchSize(): number {
    return Math.ceil(this.messages / 2);
  }

  /** Whether the sizes of more messages may change it. */
  get isOpen(): boolean {
    return !this.#isFixed && this.#seen < sample;
  }

  /** Takes note of the sizes of messages that have arrived. */
  note(deliveries: readonly ConsumeMessage[]): void {
    this.#seen += deliveries.length;
    for (const delivery of deliveries) this.#largest = Math.max(this.#largest, sizeOf(delivery));
  }

  /** Whether a window is at most half, or at least twice, of what it would be now. */
  differs(window: number): boolean {
    const { messages } = this;
    return !this.#isFixed && (messages >= 2 * window || 2 * messages <= window);
  }

  /**
   * Whether a window has to change before messages that arrived are handled. They are returned, which is worth it for the beginning of a
   * backlog, or if the broker may hold too many large ones.
   */
  isWrong(window: number, deliveries: readonly ConsumeMessage[]): boolean {
    const returns = countOf(deliveries[0]?.properties.headers?.['x-delivery-count']);
    const isWorth = deliveries.length >= sample || this.messages < window;
    return isWorth && returns < maxReturns && this.differs(window);
  }

  get #isFixed(): boolean {
    const { perKey } = this.#mapping.order;
    return perKey === undefined || (perKey.limit?.periodMs ?? 0) > maxPeriodMs;
  }
}
