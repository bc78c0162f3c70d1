import type { Subscription } from '../subscription.ts';
import type { Held, KeyLanes } from './key-lanes.ts';

/** One subscription of a partition, with its messages in hand. */
export class PartitionConsumer {
  readonly subscription: Subscription;
  readonly #lanes: KeyLanes<PartitionConsumer>;
  readonly #held = new Set<Held>();
  #running = 0;
  #whenIdle: (() => void) | undefined;
  #isActive = false;
  #hasLeft = false;

  constructor(subscription: Subscription, lanes: KeyLanes<PartitionConsumer>) {
    this.subscription = subscription;
    this.#lanes = lanes;
  }

  /** Whether no further call is made with its messages, because they go back. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Whether the broker feeds it and not another consumer of the partition: it has got messages. */
  get isActive(): boolean {
    return this.#isActive && !this.#hasLeft;
  }

  /** When the oldest message in hand arrived, by `performance.now`. */
  get oldest(): number | undefined {
    const [first] = this.#held;
    return first?.since;
  }

  received(held: Held): void {
    this.#isActive = true;
    this.#held.add(held);
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
    this.#held.delete(held);
    this.subscription.uncalled.called([held.delivery]);
    this.subscription.acknowledger.one(held.delivery);
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
    if (!this.#hasLeft) this.#lanes.drop(this);
    this.#hasLeft = true;
    await this.subscription.stop();
  }
}
