import type { Channel, ConsumeMessage } from 'amqplib';
import { anySignal } from '../base/any-signal.ts';
import { doneWithin } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';
import { Acknowledger } from './acknowledger.ts';
import { answered } from './answered.ts';
import { type Batch, type BatchLimits, Deliveries } from './delivery-buffer.ts';
import { fixedForOf } from './held-bytes.ts';
import { Intake } from './intake.ts';
import { OpenCopies } from './open-copies.ts';
import { Prefetch } from './prefetch.ts';
import { QueueConsumer } from './queue-consumer.ts';
import { Uncalled } from './set-back.ts';
import type { SubscriptionOptions } from './subscription-options.ts';

/**
 * One consumer on a channel of its own, until the channel closes, the broker cancels the consumer, or the poller is stopped.
 * It starts with one message at a time: a function that does not survive its messages takes no neighbor along.
 */
export class Subscription {
  readonly channel: Channel;
  readonly acknowledger: Acknowledger;
  /** Aborted when the channel has closed, and the broker has its deliveries again. */
  readonly closed: AbortSignal;
  /** Aborted by that, and when the poller is stopped. */
  readonly ended: AbortSignal;
  readonly uncalled = new Uncalled();
  /** Copies that are not confirmed yet. */
  readonly copies: OpenCopies;
  /** Messages that no batch has yet. */
  readonly deliveries = new Deliveries();
  readonly consumer: QueueConsumer;
  readonly #options: SubscriptionOptions;
  readonly #prefetch: Prefetch;
  readonly #intake: Intake;
  /** Stops the consumer until its deliveries are done, because they exceed the limit for bytes. */
  #pausing: Promise<unknown> | undefined;
  #counted = false;

  private constructor(channel: Channel, options: SubscriptionOptions) {
    const { mapping, stopping, held } = options;
    const closed = new AbortController();
    this.channel = channel;
    this.acknowledger = new Acknowledger(channel, options);
    this.closed = closed.signal;
    this.ended = anySignal(closed.signal, stopping);
    this.copies = new OpenCopies(this.ended);
    this.#options = options;
    const { batchSize } = options.batches ?? mapping;
    const [maxBytes, fixedFor] = [held.waiting, fixedForOf(mapping)];
    this.#prefetch = new Prefetch({ ...mapping, batchSize, maxBytes, fixedFor });
    const { acknowledger, uncalled, deliveries } = this;
    this.#intake = new Intake({ ...options, acknowledger, uncalled, deliveries, maxBytes });
    this.consumer = this.newConsumer();
    channel.on('close', () => {
      closed.abort(new UnavailableError('broker', 'the channel closed'));
      this.deliveries.clear();
    });
  }

  /** Opens a channel; throws as `BrokerConnection.channel`. */
  static async open(options: SubscriptionOptions): Promise<Subscription> {
    return new Subscription(await options.connection.channel(), options);
  }

  /** Resolves when the broker has started the consumer. That of a queue with a limit is started for each batch. */
  async start(): Promise<void> {
    const { mapping } = this.#options;
    if (mapping.limit) await this.answer(this.channel.checkQueue(mapping.queue));
    else await this.#consume();
  }

  /** It counts as a consumer until it is closed. */
  begun(): void {
    const { mapping, observer } = this.#options;
    observer.consumers?.(mapping, 1);
    this.#counted = true;
  }

  /** A consumer on its channel, for example of another queue. */
  newConsumer(): QueueConsumer {
    return new QueueConsumer(this.channel, {
      answer: (answer) => this.answer(answer),
      received: (message) => this.#received(message),
      ended: () => this.deliveries.end(),
    });
  }

  /** The next batch in the order of the queue; undefined when the subscription has ended. */
  next(): Batch | Promise<Batch | undefined> | undefined {
    return this.ended.aborted ? undefined : (this.takeNow() ?? this.#next());
  }

  /** As `next`, if the batch is full already. */
  takeNow(): Batch | undefined {
    return this.deliveries.takeNow(this.limits());
  }

  async #next(): Promise<Batch | undefined> {
    if (this.#pausing && this.deliveries.bytes === 0) {
      await this.#pausing;
      this.#pausing = undefined;
      await this.#consume();
    }
    return this.deliveries.take(this.limits());
  }

  /** Limits of its batches. */
  limits(): BatchLimits {
    const { mapping, held } = this.#options;
    return { size: this.#prefetch.batchSize, windowMs: mapping.windowMs, bytes: held.event };
  }

  /** Adapts the prefetch to a batch that succeeded. */
  adapt({ deliveries, bytes }: Batch, ms: number): Promise<void> | undefined {
    const redelivered = this.#options.queueDelay.isSuspect(deliveries[0] as ConsumeMessage);
    const changed = this.#prefetch.succeeded({ messages: deliveries.length, ms, bytes, redelivered });
    return changed ? this.renew() : undefined;
  }

  /** Consumes anew. The messages that the old consumer holds do not count toward the prefetch of the new one. */
  async renew(): Promise<void> {
    if (this.#pausing || this.ended.aborted || this.#options.mapping.limit) return;
    await this.consumer.cancel();
    await this.#consume();
  }

  /**
   * Takes no more messages; those that no call has yet go back to the queue. The next consumer of a queue with a single active
   * one starts when this one is canceled. It has to wait for the call in flight, and for `close`.
   */
  async stop(): Promise<void> {
    if (!this.#isRpc) this.deliveries.clear();
    if (this.#options.mapping.singleActiveConsumer) return;
    // If the channel has closed, nothing is consumed either, as intended.
    await this.consumer.cancel().catch(() => undefined);
    // Calls that were on their way are made: if they went back, another host would take them for begun ones.
    if (this.#isRpc) this.deliveries.end();
  }

  /** Messages that it prefetches. */
  readonly prefetch = (): number => this.#prefetch.value;

  /** Whether it holds one message at a time. */
  readonly holdsOne = (): boolean => this.#prefetch.value === 1;

  get #isRpc(): boolean {
    return this.#options.mapping.kind === 'rpc';
  }

  /** Closes the channel, which hands back what was not acknowledged. */
  async close(): Promise<void> {
    const { mapping, observer, setBack, answerMs } = this.#options;
    await this.copies.leave();
    if (this.#counted) observer.consumers?.(mapping, -1);
    const done = (delivery: ConsumeMessage) => this.acknowledger.one(delivery);
    if (!this.closed.aborted) await doneWithin(this.uncalled.setBack(setBack, done), answerMs);
    this.acknowledger.flush();
    // A channel that closed by itself has handed back its deliveries.
    await this.answer(this.channel.close()).catch(() => undefined);
  }

  async #consume(): Promise<void> {
    const { mapping } = this.#options;
    // A call is made as soon as it arrives, because the broker marks it as begun: no more arrive than are made at a time.
    const count = this.#isRpc ? (mapping.concurrency ?? 1) : this.#prefetch.value;
    await this.consumer.start(mapping.queue, count);
  }

  #received(message: ConsumeMessage): void {
    if (!this.#intake.take(message, this.#pausing !== undefined)) return;
    this.#pausing ??= this.consumer.cancel().catch(() => undefined);
  }

  /** Waits for an answer of the broker on the channel, with a limit. */
  answer<T>(answer: Promise<T>): Promise<T> {
    const { connection, answerMs } = this.#options;
    return answered(answer, { connection, channel: this.channel, ms: answerMs, signal: this.closed });
  }
}
