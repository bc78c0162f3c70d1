import type { Log } from '../../base/log.ts';
import { partitionQueue } from '../../topology/names.ts';
import { QueueDelay } from '../queue-delay.ts';
import { type Ending, Subscribing } from '../subscribing.ts';
import type { Subscription } from '../subscription.ts';
import { withArrived } from './arrived.ts';
import { Aside } from './aside.ts';
import { Handovers } from './handovers.ts';
import { heldOf } from './held-of.ts';
import type { KeyCounts } from './key-counts.ts';
import type { Lanes } from './key-lanes.ts';
import { observerOf } from './observer-of.ts';
import type { OrderedPollerOptions } from './ordered-options.ts';
import { PartitionConsumer } from './partition-consumer.ts';
import { type PartitionWindow, partitionBytes } from './partition-window.ts';

const noKeys: KeyCounts = { running: 0, waiting: 0, retrying: 0 };

type PartitionOptions = Required<OrderedPollerOptions> & {
  index: number;
  log: Log;
  lanes: Lanes<PartitionConsumer>;
  /** That of all partitions. */
  window: PartitionWindow;
  matches: (content: Buffer) => boolean;
  /** Whether another partition has messages in hand that are within the shares of their keys. */
  othersWait: (index: number) => boolean;
  /** Whether the partitions together hold less than they may. */
  hasMemory: () => boolean;
  /** Called when messages have arrived. */
  received: () => void;
};

/** Fills the lanes from one partition, while this worker is the one that the broker feeds. */
export class Partition {
  readonly #options: PartitionOptions;
  readonly #held: ReturnType<typeof heldOf<PartitionConsumer>>;
  readonly #subscribing: Subscribing;
  readonly #handovers = new Handovers();
  #consumer: PartitionConsumer | undefined;
  #aside: Aside | undefined;
  #isResizing = false;

  constructor(options: PartitionOptions) {
    const { mapping, index, log, window } = options;
    this.#options = options;
    const own = {
      ...mapping,
      queue: partitionQueue(mapping.queue, index),
      windowMs: 0,
      concurrency: 1,
      singleActiveConsumer: true,
      retryInQueue: false,
    };
    const queueDelay = new QueueDelay(own, log);
    this.#held = heldOf(mapping, queueDelay);
    this.#subscribing = new Subscribing({
      ...options,
      mapping: own,
      batches: window,
      held: { ...options.held, waiting: partitionBytes },
      observer: observerOf(options.observer, mapping),
      queueDelay,
      // A copy would come behind the messages of its key.
      setBack: () => Promise.reject(new Error('a partition publishes no copies')),
      serve: (subscription, begun) => this.#serve(subscription, begun),
      pauseMs: () => 0,
    });
  }

  start(): Promise<void> {
    return this.#subscribing.start();
  }

  stop(): Promise<void> {
    return this.#subscribing.stop();
  }

  /** Whether the broker feeds this worker from the partition. */
  get isActive(): boolean {
    return this.#consumer?.isActive ?? false;
  }

  /** Whether all of its messages in hand are within the shares of their keys, and there are some. */
  get isQuiet(): boolean {
    return (this.#consumer?.hand.messages ?? 0) > 0 && this.#aside?.isBusy === false;
  }

  /** Bytes of the messages that it holds. */
  get bytes(): number {
    return (this.#consumer?.hand.bytes ?? 0) + (this.#aside?.bytes ?? 0);
  }

  /** Whether a message of it waits for its retry. */
  get isWaiting(): boolean {
    return this.#consumer !== undefined && this.#options.lanes.hasDelayed(this.#consumer);
  }

  /** The keys in hand. */
  get keys(): KeyCounts {
    return this.#consumer ? this.#options.lanes.keysOf(this.#consumer) : noKeys;
  }

  /** Milliseconds for which the oldest message is in hand. */
  get heldMs(): number {
    const oldest = this.#consumer?.oldest;
    return oldest === undefined ? 0 : performance.now() - oldest;
  }

  /** When it was handed over last, by `performance.now`; -Infinity if it never was. */
  get handedOverAt(): number {
    return this.#handovers.at;
  }

  /** Moves aside what has waited for long, and has the window that fits the sizes of the messages. */
  tidy(): void {
    if (this.#consumer) this.#aside?.moveExcess(this.#consumer);
    this.#resize();
  }

  /** Hands the partition over because others have fewer, unless it came back after such a hand-over: then only after a while. */
  async handOver(): Promise<void> {
    if (this.#handovers.take()) await this.leave();
  }

  /** Returns its messages, and subscribes again behind the other workers. */
  async leave(): Promise<void> {
    await this.#consumer?.leave();
  }

  /** Subscribes anew if that gives it a window that fits better. Not with messages in hand, because their calls would have to end. */
  #resize(): void {
    const consumer = this.#consumer;
    if (!consumer || consumer.hasLeft || consumer.hand.messages > 0 || this.#aside?.isBusy) return;
    this.#isResizing = this.#options.window.differs(consumer.hand.maxMessages);
    if (this.#isResizing) void consumer.leave();
  }

  async #serve(subscription: Subscription, begun: () => void): Promise<Ending> {
    begun();
    this.#isResizing = false;
    const { lanes, received, window, mapping, index, hasMemory } = this.#options;
    const consumer = new PartitionConsumer(subscription, lanes);
    this.#consumer = consumer;
    const others = { wait: () => this.#options.othersWait(index), hasMemory };
    const aside = new Aside(subscription, partitionQueue(mapping.queue, index), lanes, others);
    consumer.whenRoom((key) => aside.refill(consumer, key));
    this.#aside = aside;
    let joined: Promise<void> | undefined;
    for (let batch = await subscription.next(); batch; batch = await subscription.next()) {
      if (window.isOpen) batch = await withArrived(subscription, partitionQueue(mapping.queue, index), batch);
      window.note(batch.deliveries);
      if (window.isWrong(consumer.hand.maxMessages, batch.deliveries)) this.#resize();
      if (consumer.hasLeft) break;
      consumer.arrived();
      if (mapping.order.perKey && !joined) {
        // What arrives meanwhile would exceed the memory if it waited. An error also ends the subscription.
        joined = aside.start();
        joined.catch(() => undefined);
      }
      for (const delivery of batch.deliveries) {
        aside.restore(delivery);
        const held = this.#held(consumer, delivery, batch.since);
        if (aside.takes(held)) continue;
        consumer.received(held);
        lanes.push(held);
        aside.makeRoom(consumer);
      }
      aside.moveExcess(consumer);
      received();
    }
    aside.clear();
    await consumer.leave();
    received();
    await consumer.idle();
    await joined;
    if (subscription.closed.aborted) return undefined;
    return this.#isResizing ? 'again' : 'left';
  }
}
