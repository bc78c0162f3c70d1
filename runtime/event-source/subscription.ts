import type { Channel, ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { withDeadline } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';
import { Acknowledger } from './acknowledger.ts';
import type { Observer } from './call.ts';
import { type Batch, Deliveries } from './delivery-buffer.ts';
import type { Mapping } from './mapping.ts';
import { Prefetch } from './prefetch.ts';

/** Lambda takes 6 MB in one call. */
export const maxEventBytes = 6_000_000;

export interface SubscriptionOptions {
  mapping: Mapping;
  connection: Pick<BrokerConnection, 'channel' | 'discard'>;
  observer: Observer;
  /** Whether the function wants a message with this content. */
  matches: (content: Buffer) => boolean;
  /** Milliseconds that the broker may take to answer; after that the connection is discarded. */
  answerMs: number;
  /** Aborted when the poller is stopped. */
  stopping: AbortSignal;
}

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
  readonly #options: SubscriptionOptions;
  readonly #deliveries = new Deliveries();
  readonly #prefetch: Prefetch;
  #consumerTag = '';
  #counted = false;

  private constructor(channel: Channel, options: SubscriptionOptions) {
    const { mapping, stopping } = options;
    const closed = new AbortController();
    this.channel = channel;
    this.acknowledger = new Acknowledger(channel);
    this.closed = closed.signal;
    this.ended = AbortSignal.any([closed.signal, stopping]);
    this.#options = options;
    this.#prefetch = new Prefetch(mapping.batchSize, mapping.concurrency);
    channel.on('close', () => {
      closed.abort(new UnavailableError('broker', 'the channel closed'));
      this.#deliveries.clear();
    });
  }

  /** Opens a channel; throws as `BrokerConnection.channel`. */
  static async open(options: SubscriptionOptions): Promise<Subscription> {
    return new Subscription(await options.connection.channel(), options);
  }

  /** Resolves when the broker has started the consumer. */
  async start(): Promise<void> {
    const { mapping, observer, stopping } = this.#options;
    // A call is made as soon as it arrives, because the broker marks it as begun: no more arrive than are made at a time.
    await this.#consume(mapping.kind === 'rpc' ? (mapping.concurrency ?? 1) : 1);
    if (stopping.aborted) return;
    observer.consumers?.(mapping, 1);
    this.#counted = true;
  }

  /** Batches in the order of the queue, until the subscription ends. */
  async *batches(): AsyncGenerator<Batch, void> {
    const { windowMs } = this.#options.mapping;
    for (;;) {
      const batch = await this.#deliveries.take({
        size: this.#prefetch.batchSize,
        windowMs,
        bytes: maxEventBytes,
      });
      if (!batch) return;
      yield batch;
    }
  }

  /** Adapts the prefetch to a batch that succeeded. */
  async adapt({ deliveries }: Batch, ms: number): Promise<void> {
    const bytes = deliveries.reduce((sum, { content }) => sum + content.length, 0);
    const redelivered = deliveries[0]?.fields.redelivered ?? false;
    if (!this.#prefetch.succeeded({ messages: deliveries.length, ms, bytes, redelivered })) return;
    await this.#answer(this.channel.cancel(this.#consumerTag));
    await this.#consume(this.#prefetch.value);
  }

  /** Takes no more messages; those that no call has yet go back to the queue. */
  async cancel(): Promise<void> {
    const isRpc = this.#options.mapping.kind === 'rpc';
    if (!isRpc) this.#deliveries.clear();
    // If the channel has closed, nothing is consumed either, as intended.
    await this.#answer(this.channel.cancel(this.#consumerTag)).catch(() => undefined);
    // Calls that were on their way are made: if they went back, another host would take them for begun ones.
    if (isRpc) this.#deliveries.end();
  }

  /** Closes the channel, which hands back what was not acknowledged. */
  async close(): Promise<void> {
    const { mapping, observer } = this.#options;
    if (this.#counted) observer.consumers?.(mapping, -1);
    this.acknowledger.flush();
    // A channel that closed by itself has handed back its deliveries.
    await this.#answer(this.channel.close()).catch(() => undefined);
  }

  async #consume(count: number): Promise<void> {
    const { mapping, matches, observer } = this.#options;
    await this.#answer(this.channel.prefetch(count));
    // The message is null when the broker cancels the consumer: the queue was deleted, or its node went down.
    const onMessage = (message: ConsumeMessage | null) => {
      if (!message) this.#deliveries.end();
      else if (matches(message.content)) this.#deliveries.push(message);
      else {
        this.channel.ack(message);
        observer.filtered?.(mapping);
      }
    };
    ({ consumerTag: this.#consumerTag } = await this.#answer(this.channel.consume(mapping.queue, onMessage)));
  }

  /**
   * Waits for an answer of the broker. A broker that is starting may never send it, because its queue was not ready, and amqplib
   * never settles a close whose connection ends first.
   */
  #answer<T>(answer: Promise<T>): Promise<T> {
    const { connection, answerMs } = this.#options;
    const late = () => {
      // Ends the connection, and with it everything that waits on it.
      connection.discard(this.channel);
      return new UnavailableError('broker', `no answer from the broker within ${answerMs} ms`);
    };
    return withDeadline(answer, { ms: answerMs, late, signal: this.closed });
  }
}
