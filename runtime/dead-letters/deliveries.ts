import type { ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { deadLetters } from '../topology/names.ts';
import { Consumer } from './consumer.ts';
import { isEmpty, returned } from './queue-state.ts';
import { answered, idleMs, lost } from './stream.ts';

/** A dead letter that the broker has sent and that is not acknowledged. */
export interface Delivery {
  message: ConsumeMessage;
  /** Removes it from the queue. */
  remove(): void;
  /** Leaves it to this connection, which returns it to the queue at the end. */
  keep(): void;
}

/** Maximum of unacknowledged dead letters per consumer. All that arrive at a time are in memory. */
const maxPrefetch = 1000;

interface DeliveriesOptions {
  /** Number that the broker sends ahead at first. */
  prefetch: number;
  isOrdered: boolean;
  queue?: string | undefined;
  /** Called when a dead letter has arrived, or the connection is lost. */
  arrived?: (() => void) | undefined;
}

/**
 * Takes dead letters in the order of their queue. The broker sends them ahead, because a request for each would wait for its
 * answer.
 */
export class Deliveries {
  readonly #connection: BrokerConnection;
  readonly #queue: string;
  #prefetch: number;
  readonly #isOrdered: boolean;
  readonly #consumers: Consumer[] = [];
  readonly #arrived: Delivery[] = [];
  readonly #onArrival: () => void;
  #undecided = 0;
  #isLost = false;
  #wake: () => void = () => undefined;

  /** `isOrdered` if the first dead letters are meant: those of two consumers may arrive in another order. */
  constructor(connection: BrokerConnection, options: DeliveriesOptions) {
    const { prefetch, isOrdered, queue = deadLetters, arrived = () => undefined } = options;
    this.#isOrdered = isOrdered;
    this.#connection = connection;
    this.#queue = queue;
    this.#prefetch = prefetch;
    this.#onArrival = arrived;
  }

  /** Removed dead letters that may still be in the queue: if the connection is lost, the queue has them again. */
  get unproven(): number {
    return this.#isLost ? 0 : this.#sum(({ unproven }) => unproven);
  }

  /**
   * Makes sure that none is unproven.
   *
   * @throws UnavailableError if the connection is lost.
   */
  async prove(): Promise<void> {
    for (const consumer of this.#consumers) {
      if (consumer.unproven > 0) await answered(() => consumer.prove());
    }
  }

  /**
   * @returns the next dead letter, or undefined if none is left.
   * @throws UnavailableError if the connection is lost.
   */
  async next(): Promise<Delivery | undefined> {
    for (;;) {
      if (this.#isLost) throw lost();
      // Kept ones fill a consumer, which then gets no more. The next one begins before that, so that it does not slow down.
      if (this.#room() <= (this.#isOrdered ? 0 : this.#prefetch / 4)) await answered(() => this.#consume());
      const delivery = this.#arrived.shift();
      if (delivery) return delivery;
      if (await this.#arrival()) continue;
      if (this.#undecided > 0 || !(await answered(() => isEmpty(this.#connection, this.#queue)))) continue;
      // Another client may have taken the rest meanwhile, or it is on its way here and arrives before the answer.
      await this.#stop();
      return this.#arrived.shift();
    }
  }

  /** Returns all dead letters to the queue that were not removed, and waits until the broker has removed the others. */
  async close(): Promise<void> {
    // All stop first: a consumer that goes on would get what another returns.
    await this.#stop();
    await answered(() => returned(this.#connection, this.#queue, () => this.#giveBack()));
  }

  async #giveBack(): Promise<number> {
    let count = 0;
    for (const consumer of this.#consumers) count += await consumer.giveBack();
    return count;
  }

  async #stop(): Promise<void> {
    for (const consumer of this.#consumers) await answered(() => consumer.stop());
  }

  async #consume(): Promise<void> {
    const channel = await this.#connection.channel();
    channel.once('close', () => this.#lose());
    const consumer = new Consumer(channel, this.#queue, (message) => {
      if (message) this.#arrive(message, consumer);
      else this.#lose();
    });
    this.#consumers.push(consumer);
    const prefetch = this.#prefetch;
    // A connection has a limited number of channels.
    this.#prefetch = Math.min(maxPrefetch, this.#prefetch * 2);
    await consumer.open(prefetch);
  }

  /** Deliveries that the consumers may still get before any is removed. */
  #room(): number {
    return this.#sum(({ room }) => room);
  }

  #sum(of: (consumer: Consumer) => number): number {
    return this.#consumers.reduce((sum, consumer) => sum + of(consumer), 0);
  }

  #arrive(message: ConsumeMessage, consumer: Consumer): void {
    const { deliveryTag } = message.fields;
    this.#undecided += 1;
    consumer.add(deliveryTag);
    const decided = () => {
      this.#undecided -= 1;
      this.#wake();
    };
    this.#arrived.push({
      message,
      remove: () => {
        consumer.remove(message);
        decided();
      },
      keep: () => {
        consumer.keep();
        decided();
      },
    });
    this.#wake();
    this.#onArrival();
  }

  #lose(): void {
    this.#isLost = true;
    this.#wake();
    this.#onArrival();
  }

  /** @returns false if nothing happened for a while. */
  #arrival(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), idleMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
