import type { ConsumeMessage } from 'amqplib';
import type { Log } from '../../base/log.ts';
import { partitionQueue } from '../../topology/names.ts';
import { encodedSize } from '../encoded-size.ts';
import { refusalOf } from '../oversized.ts';
import { QueueDelay } from '../queue-delay.ts';
import { type Ending, Subscribing } from '../subscribing.ts';
import type { Subscription } from '../subscription.ts';
import { Aside } from './aside.ts';
import { Handovers } from './handovers.ts';
import type { KeyCounts } from './key-counts.ts';
import type { Held, Lanes } from './key-lanes.ts';
import { keyReader } from './message-key.ts';
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
  readonly #keyOf: ReturnType<typeof keyReader>;
  readonly #queueDelay: QueueDelay;
  readonly #subscribing: Subscribing;
  readonly #handovers = new Handovers();
  #consumer: PartitionConsumer | undefined;
  #aside: Aside | undefined;
  #isResizing = false;

  constructor(options: PartitionOptions) {
    const { mapping, index, log, window } = options;
    this.#options = options;
    this.#keyOf = keyReader(mapping.order.by);
    const own = {
      ...mapping,
      queue: partitionQueue(mapping.queue, index),
      windowMs: 0,
      concurrency: 1,
      singleActiveConsumer: true,
      retryInQueue: false,
    };
    this.#queueDelay = new QueueDelay(own, log);
    this.#subscribing = new Subscribing({
      ...options,
      mapping: own,
      batchSize: () => window.batchSize,
      held: { ...options.held, waiting: partitionBytes },
      observer: observerOf(options.observer, mapping),
      queueDelay: this.#queueDelay,
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

  /** Moves aside what has waited for long, and subscribes anew with another window if it has no messages. */
  tidy(): void {
    const consumer = this.#consumer;
    if (!consumer) return;
    this.#aside?.moveExcess(consumer);
    if (consumer.hand.messages === 0 && this.#aside?.isBusy === false) this.#resize(consumer);
  }

  /** Hands the partition over because others have fewer, unless it came back after such a hand-over: then only after a while. */
  async handOver(): Promise<void> {
    if (this.#handovers.take()) await this.leave();
  }

  /** Returns its messages, and subscribes again behind the other workers. */
  async leave(): Promise<void> {
    await this.#consumer?.leave();
  }

  /**
   * Returns the messages of a consumer, and subscribes again, if the sizes of messages allow a larger window or need a smaller one. Not while
   * a call is in flight, because all would wait for it.
   */
  #resize(consumer: PartitionConsumer): void {
    if (consumer.isWorking || consumer.hasLeft || !this.#options.window.differs(consumer.hand.maxMessages))
      return;
    this.#isResizing = true;
    void consumer.leave();
  }

  #held(source: PartitionConsumer, delivery: ConsumeMessage, since: number): Held<PartitionConsumer> {
    const bytes = encodedSize(delivery);
    // A message that fits no call must not share one.
    const alone =
      this.#queueDelay.isSuspect(delivery) || refusalOf(this.#options.mapping, delivery, bytes) !== undefined;
    return { delivery, source, key: this.#keyOf(delivery), bytes, since, alone, running: false };
  }

  async #serve(subscription: Subscription, begun: () => void): Promise<Ending> {
    begun();
    this.#isResizing = false;
    const { lanes, received, window } = this.#options;
    const { mapping, index, hasMemory } = this.#options;
    const consumer = new PartitionConsumer(subscription, lanes);
    this.#consumer = consumer;
    const others = { wait: () => this.#options.othersWait(index), hasMemory };
    const aside = new Aside(subscription, partitionQueue(mapping.queue, index), lanes, others);
    consumer.whenRoom((key) => aside.refill(consumer, key));
    this.#aside = aside;
    let joined: Promise<void> | undefined;
    for (let batch = await subscription.next(); batch; batch = await subscription.next()) {
      if (consumer.hasLeft) break;
      window.note(batch.deliveries);
      if (window.isBacklog(batch.deliveries)) this.#resize(consumer);
      if (consumer.hasLeft) break;
      consumer.arrived();
      if (mapping.order.perKey && !joined) {
        // What arrives meanwhile would exceed the memory if it waited.
        joined = aside.start();
        // It also ends the subscription.
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
