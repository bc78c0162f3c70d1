import { eventFor } from '../base/unencoded.ts';
import { deliveredEvent } from '../messages/delivered.ts';
import type { Batch } from './delivery-buffer.ts';
import { expires } from './expiring.ts';
import { type LaneInvoke, NotBegunError } from './invoke.ts';
import type { KnownCopies } from './known-copies.ts';
import type { Mapping } from './mapping.ts';
import { refusalOf } from './oversized.ts';
import type { Subscription } from './subscription.ts';

/** Calls that are sent ahead at most, and the bytes of their events. */
const max = { calls: 128, bytes: 262_144 };
/**
 * Milliseconds of the shortest calls above which the way to the function is not worth hiding. Longer ones may have waited for a busy
 * machine.
 */
const slowMs = 50;
/** Growth of the shortest time with each call, so that a function that becomes slow counts as slow after some hundred calls. */
const forgetting = 1.02;
/** Milliseconds of a call that counts as slow at once: no busy machine makes a fast one that long. */
const verySlowMs = 1000;

export interface AheadOptions {
  mapping: Mapping;
  subscription: Pick<Subscription, 'next' | 'takeNow' | 'ended'>;
  /** Undefined if no call can be sent ahead. */
  lane: LaneInvoke | undefined;
  copies: Pick<KnownCopies, 'hasNone'>;
  /** Milliseconds from a delivery until its call begins, at most. */
  callWithinMs: number;
}

/**
 * The batches of a subscription. The calls of the next ones are on their way to the function while one runs, because a fast function
 * would spend most of its time waiting for them. They begin one after the other, and only after a success.
 */
export class Ahead {
  readonly #options: AheadOptions;
  readonly #batches: Batch[] = [];
  #bytes = 0;
  /** Milliseconds of the shortest calls; undefined before the first one. */
  #ms: number | undefined;
  /** Whether calls were taken back, so that none may be sent that could begin before those in front of it are made. */
  #isRecalled = false;
  /** Ends when the oldest batch that was sent has waited for too long. */
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AheadOptions) {
    this.#options = options;
    // A message whose call has not begun goes back.
    options.subscription.ended.addEventListener('abort', () => options.lane?.recall(), { once: true });
  }

  /** Whether calls were sent, so that some may have begun. */
  get isOpen(): boolean {
    return this.#batches.some(({ sent }) => sent !== undefined);
  }

  /** The next batch, as `Subscription.next`. */
  next(): Batch | Promise<Batch | undefined> | undefined {
    const { subscription } = this.#options;
    const batch = this.#batches.shift();
    if (!batch) {
      this.#isRecalled = false;
      return subscription.next();
    }
    // Its call was not sent, or was taken back.
    if (subscription.ended.aborted && !batch.sent) return undefined;
    this.#bytes -= batch.bytes;
    return batch;
  }

  /** A call has succeeded. */
  took(ms: number): void {
    this.#ms = ms > verySlowMs ? ms : Math.min(ms, (this.#ms ?? ms) * forgetting);
  }

  /** Sends the calls of batches that have arrived. Call it when a call was made. */
  fill(): void {
    const { lane, subscription } = this.#options;
    if (!lane || this.#isRecalled || this.#ms === undefined || this.#ms > slowMs) return;
    // Several at once: each time costs more than each call.
    if (subscription.ended.aborted || this.#batches.length > max.calls / 2) return;
    this.#sendAll(lane);
    this.#watch();
  }

  /** Takes back the calls that have not begun, and resolves when no call that was sent is in flight. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    if (!this.isOpen) return;
    this.#options.lane?.recall();
    await Promise.allSettled(this.#batches.map(({ sent }) => sent));
  }

  #sendAll(lane: LaneInvoke): void {
    const { subscription } = this.#options;
    // The order stays: a batch that cannot be sent keeps back those behind it.
    for (const batch of this.#batches) if (!batch.sent && !this.#send(lane, batch)) return;
    while (this.#batches.length < max.calls && this.#bytes < max.bytes) {
      const batch = subscription.takeNow();
      if (!batch) return;
      this.#bytes += batch.bytes;
      this.#batches.push(batch);
      if (!this.#send(lane, batch)) return;
    }
  }

  /**
   * Takes calls back when the oldest has waited for too long, as `callWithinMs` requires: the one in flight may take long, and the next
   * one begins without this worker.
   */
  #watch(): void {
    const [oldest] = this.#batches;
    if (this.#timer || !oldest?.sent) return;
    const ms = this.#leftMs(oldest);
    if (ms > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#watch();
      }, ms).unref();
      return;
    }
    this.#isRecalled = true;
    this.#options.lane?.recall();
  }

  #leftMs({ since }: Batch): number {
    return since + this.#options.callWithinMs - performance.now();
  }

  #send(lane: LaneInvoke, batch: Batch): boolean {
    if (!this.#isPlain(batch) || this.#leftMs(batch) <= 0) return false;
    const event = eventFor(lane, deliveredEvent(this.#options.mapping, batch.deliveries));
    batch.sent = lane.ahead(event, (ms) => {
      batch.sentMs = ms;
    });
    batch.sent?.catch((error: unknown) => {
      if (error instanceof NotBegunError) batch.sent = undefined;
    });
    return batch.sent !== undefined;
  }

  /** Whether nothing but the call is to be done with a batch, however long that waits for its turn. */
  #isPlain({ deliveries, bytes }: Batch): boolean {
    const { mapping, copies } = this.#options;
    const [first] = deliveries;
    if (!first || bytes > max.bytes || !copies.hasNone(deliveries)) return false;
    if (deliveries.some((delivery) => delivery.fields.redelivered || expires(delivery))) return false;
    return deliveries.length > 1 || refusalOf(mapping, first, bytes) === undefined;
  }
}
