import type { ConsumeMessage } from 'amqplib';
import type { PublisherLike } from '../../amqp/publisher.ts';
import { anySignal } from '../../base/any-signal.ts';
import { RejectedError } from '../../base/errors.ts';
import { recordFailure } from '../../messages/failure-events.ts';
import { failureOf } from '../../messages/plain-failures.ts';
import { countOf } from '../../messages/received.ts';
import type { ItemFailure } from '../../messages/verdicts.ts';
import { partitionDeliveryLimit } from '../../topology/order.ts';
import { backoff } from '../backoff.ts';
import { BatchCall } from '../batch-call.ts';
import type { CallOptions, Outage } from '../call.ts';
import { hasExpired } from '../expiring.ts';
import { refusalOf } from '../oversized.ts';
import type { Held, Lanes } from './key-lanes.ts';
import { LaneLetters } from './lane-letters.ts';
import { noteFailure, verdictAtLimit } from './noted-failure.ts';
import type { PartitionConsumer } from './partition-consumer.ts';

export interface LaneCallOptions extends CallOptions {
  /** Publishes dead letters. */
  publisher: PublisherLike;
  lanes: Lanes<PartitionConsumer>;
  /** Called when a key may continue after its call. */
  ready: () => void;
}

type Own = Held<PartitionConsumer>;

/** Milliseconds before a message whose call did not reach the function is called again, at first and in a long outage. */
const unreachedMs = [1000, 30_000] as const;

/**
 * Calls the function with messages of different keys, and settles each. A message that is retried stays in hand, and its key waits for
 * it; a dead letter does not hold up its key.
 */
export class LaneCalls {
  readonly #options: LaneCallOptions;
  readonly #outage: Outage = { tries: 0 };
  readonly #letters: LaneLetters;
  /** Messages that had their first call. */
  readonly #called = new WeakSet<ConsumeMessage>();

  constructor(options: LaneCallOptions) {
    this.#options = options;
    const done = (held: Own) => this.#done(held);
    this.#letters = new LaneLetters({ ...options, done, again: (held) => this.#again(held, 0) });
  }

  /** Calls the function with messages that were taken, and settles them. It never throws. */
  async run(taken: readonly Own[]): Promise<void> {
    const sources = taken.map(({ source }) => source);
    for (const source of sources) source.begin();
    try {
      await this.#run(taken);
    } finally {
      for (const source of sources) source.end();
    }
  }

  async #run(taken: readonly Own[]): Promise<void> {
    const batch = this.#letters.unknown(taken).filter((held) => {
      if (!hasExpired(held.delivery)) return true;
      this.#done(held);
      return false;
    });
    const [first] = batch;
    if (!first) return;
    const { mapping, observer } = this.#options;
    const refusal = batch.length === 1 ? this.#refusalOf(first) : undefined;
    if (refusal !== undefined) {
      observer.setAside?.(mapping);
      this.#settle(first, failureOf(mapping, first.delivery, new RejectedError(refusal)));
      return;
    }
    this.#noteTaken(batch);
    const { outcome, failures, error } = await this.#call(batch);
    if (outcome === 'done') {
      for (const [index, held] of batch.entries()) this.#settle(held, failures.get(index));
    } else if (outcome === 'failed' && batch.length === 1) {
      this.#settle(first, failureOf(mapping, first.delivery, error));
    } else {
      // Each is called alone, so that only the guilty one fails.
      const ms = outcome === 'kept' ? backoff(Math.max(1, this.#outage.tries), ...unreachedMs) : 0;
      for (const held of batch) {
        held.alone ||= outcome === 'failed';
        this.#again(held, ms);
      }
    }
  }

  async #call(batch: readonly Own[]) {
    let over: AbortController | undefined;
    const conditions = {
      outage: this.#outage,
      isProbe: true,
      // Only a call that fails needs it, and a signal of several partitions costs more than the rest of a call.
      get ended() {
        over ??= new AbortController();
        return anySignal(over.signal, ...new Set(batch.map(({ source }) => source.ended)));
      },
    };
    try {
      return await new BatchCall(
        this.#options,
        {
          deliveries: batch.map(({ delivery }) => delivery),
          bytes: batch.reduce((sum, { bytes }) => sum + bytes, 0),
          since: Math.min(...batch.map(({ since }) => since)),
        },
        conditions,
      ).begin();
    } finally {
      over?.abort();
    }
  }

  /**
   * The reason against a call. With `perKey` the broker does not dead-letter a message that was delivered too often: it moves it aside.
   * Half of the limit is left for messages that were only in hand with the guilty one.
   */
  #refusalOf({ delivery, bytes }: Own): string | undefined {
    const { mapping } = this.#options;
    const { perKey, deliveryLimit = partitionDeliveryLimit } = mapping.order ?? {};
    const deliveries = countOf(delivery.properties.headers?.['x-delivery-count']);
    if (perKey && deliveries >= deliveryLimit / 2)
      return `it was delivered ${deliveries} times without a result`;
    return refusalOf(mapping, delivery, bytes);
  }

  #noteTaken(batch: readonly Own[]): void {
    const { observer, mapping } = this.#options;
    const fresh = batch.map(({ delivery }) => delivery).filter((delivery) => !this.#called.has(delivery));
    for (const delivery of fresh) this.#called.add(delivery);
    if (fresh.length > 0) observer.taken?.(mapping, fresh);
  }

  #settle(held: Own, failure: ItemFailure | undefined): void {
    if (!failure) {
      this.#done(held);
      return;
    }
    const { mapping } = this.#options;
    const verdict = verdictAtLimit(mapping, held.delivery, failure);
    if (verdict.to === 'dead-letters') {
      void this.#letters.add(held, { ...failure, verdict });
      return;
    }
    this.#letters.keep(held);
    noteFailure(held.delivery, failure);
    recordFailure(mapping.queue, verdict);
    held.alone = true;
    this.#again(held, verdict.seconds * 1000);
  }

  #done(held: Own): void {
    held.source.acknowledge(held);
    this.#options.lanes.done(held);
    held.source.done(held);
  }

  /** Its key waits. A message that goes back holds up nothing here. */
  #again(held: Own, ms: number): void {
    const { lanes } = this.#options;
    if (held.source.hasLeft) lanes.done(held);
    else lanes.delay(held, ms);
  }
}
