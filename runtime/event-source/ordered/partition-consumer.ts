import { anySignal } from '../../base/any-signal.ts';
import type { Subscription } from '../subscription.ts';
import type { Held, Lanes } from './key-lanes.ts';
import type { Hand } from './key-room.ts';
import { partitionBytes } from './partition-window.ts';

/** One subscription of a partition, with its messages in hand. */
export class PartitionConsumer {
  readonly subscription: Subscription;
  readonly #lanes: Lanes<PartitionConsumer>;
  /** Aborted when no further call is made with its messages, because they go back or are back. */
  readonly ended: AbortSignal;
  readonly #held = new Set<Held>();
  #bytes = 0;
  readonly #leaving = new AbortController();
  #running = 0;
  #whenIdle: (() => void) | undefined;
  #activeSince: number | undefined;
  #onRoom: ((key: string | undefined) => void) | undefined;

  constructor(subscription: Subscription, lanes: Lanes<PartitionConsumer>) {
    this.subscription = subscription;
    this.#lanes = lanes;
    this.ended = anySignal(subscription.ended, this.#leaving.signal);
  }

  /** Whether no further call is made with its messages, because they go back. */
  get hasLeft(): boolean {
    return this.#leaving.signal.aborted;
  }

  /** Whether the broker feeds it and not another consumer of the partition: it has got messages. */
  get isActive(): boolean {
    return this.#activeSince !== undefined && !this.hasLeft;
  }

  /** The messages in hand, and how many there may be. */
  get hand(): Hand {
    const messages = this.#held.size;
    return {
      messages,
      bytes: this.#bytes,
      maxMessages: this.subscription.prefetch(),
      maxBytes: partitionBytes,
    };
  }

  /** When the oldest message in hand arrived, by `performance.now`. */
  get oldest(): number | undefined {
    const [first] = this.#held;
    return first?.since;
  }

  /** When the broker began to feed it, by `performance.now`. */
  get activeSince(): number {
    return this.#activeSince ?? performance.now();
  }

  /** A message has arrived: the broker feeds it. */
  arrived(): void {
    this.#activeSince ??= performance.now();
  }

  received(held: Held): void {
    this.#held.add(held);
    this.#bytes += held.bytes;
  }

  /** Calls this when a message of a key is done. */
  whenRoom(call: (key: string | undefined) => void): void {
    this.#onRoom = call;
  }

  /** A message is done, and the lanes know it. */
  done({ key }: Held): void {
    this.#onRoom?.(key);
  }

  /** Work with a message begins. */
  begin(): void {
    this.#running += 1;
  }

  /** It has ended. */
  end(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#whenIdle?.();
  }

  /** Acknowledges a message. */
  acknowledge(held: Held): void {
    this.#settled(held);
    this.subscription.uncalled.called([held.delivery]);
    this.subscription.acknowledger.one(held.delivery);
  }

  /** Lets the broker dead-letter a message. */
  refuse(held: Held): void {
    this.#settled(held);
    this.subscription.uncalled.called([held.delivery]);
    this.subscription.acknowledger.refuse(held.delivery);
  }

  #settled(held: Held): void {
    if (this.#held.delete(held)) this.#bytes -= held.bytes;
  }

  /** Resolves when no work with its messages is in progress. */
  async idle(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  /** Returns its messages, and lets the next consumer of the partition continue when the calls in flight have ended. */
  async leave(): Promise<void> {
    if (!this.hasLeft) {
      this.#lanes.drop(this);
      this.#leaving.abort();
    }
    await this.subscription.stop();
  }
}
