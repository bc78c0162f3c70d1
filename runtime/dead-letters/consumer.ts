import { type Channel, type ConsumeMessage, IllegalOperationError } from 'amqplib';

/** A consumer on a channel of its own. It acknowledges what is removed within one turn of the event loop at once. */
export class Consumer {
  readonly #channel: Channel;
  readonly #queue: string;
  #tag = '';
  /** Delivery tags that are not removed, in the order of the deliveries. */
  readonly #open = new Set<number>();
  #removed: ConsumeMessage[] = [];
  #turn: NodeJS.Immediate | undefined;

  constructor(channel: Channel, queue: string) {
    this.#channel = channel;
    this.#queue = queue;
  }

  async open(receive: (message: ConsumeMessage | null) => void): Promise<void> {
    this.#tag = (await this.#channel.consume(this.#queue, receive)).consumerTag;
  }

  add(deliveryTag: number): void {
    this.#open.add(deliveryTag);
  }

  remove(message: ConsumeMessage): void {
    this.#open.delete(message.fields.deliveryTag);
    this.#removed.push(message);
    this.#turn ??= setImmediate(() => this.#acknowledge());
  }

  /**
   * Gets no more dead letters. The client of a quorum queue inside the broker holds back acknowledgements if too many are under
   * way, and they are lost if the channel closes then. It sends them when the queue has answered the cancellation, and the
   * request after that waits for it.
   */
  async stop(): Promise<void> {
    this.#acknowledge();
    await this.#channel.cancel(this.#tag);
    await this.#channel.prefetch(1);
  }

  /** @returns the number of dead letters that are returned to the queue. */
  async giveBack(): Promise<number> {
    if (this.#open.size > 0) this.#channel.nackAll(true);
    await this.#channel.prefetch(1);
    return this.#open.size;
  }

  /** One acknowledgement covers all older deliveries, so it is only possible up to the oldest one that is not removed. */
  #acknowledge(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    const removed = this.#removed.sort((a, b) => a.fields.deliveryTag - b.fields.deliveryTag);
    this.#removed = [];
    const [oldest = Number.POSITIVE_INFINITY] = this.#open;
    const whole = removed.filter(({ fields }) => fields.deliveryTag < oldest).at(-1);
    try {
      if (whole) this.#channel.ack(whole, true);
      for (const message of removed) if (message.fields.deliveryTag > oldest) this.#channel.ack(message);
    } catch (error) {
      // The channel has closed, so the broker returns its dead letters to the queue.
      if (!(error instanceof IllegalOperationError)) throw error;
    }
  }
}
