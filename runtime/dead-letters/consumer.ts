import { type Channel, type ConsumeMessage, IllegalOperationError } from 'amqplib';

/** A consumer on a channel of its own. It acknowledges what is removed within one turn of the event loop at once. */
export class Consumer {
  readonly #channel: Channel;
  readonly #queue: string;
  readonly #receive: (message: ConsumeMessage | null) => void;
  #tag = '';
  #maxUndecided = 0;
  #prefetch = 0;
  /** Since the consumer began, or began again. */
  #counts = { received: 0, removed: 0, kept: 0 };
  /** Neither removed nor kept. */
  #undecided = 0;
  /** Delivery tags that are not removed, in the order of the deliveries. */
  readonly #open = new Set<number>();
  #removed: ConsumeMessage[] = [];
  #turn: NodeJS.Immediate | undefined;

  constructor(channel: Channel, queue: string, receive: (message: ConsumeMessage | null) => void) {
    this.#channel = channel;
    this.#queue = queue;
    this.#receive = receive;
  }

  /** @param prefetch maximum of dead letters that are not removed. */
  open(prefetch: number): Promise<void> {
    this.#maxUndecided = prefetch;
    return this.#begin(prefetch);
  }

  async #begin(prefetch: number): Promise<void> {
    await this.#channel.prefetch(prefetch);
    this.#prefetch = prefetch;
    this.#counts = { received: 0, removed: 0, kept: 0 };
    this.#tag = (await this.#channel.consume(this.#queue, this.#receive)).consumerTag;
  }

  /** Deliveries that may still come before one is removed. */
  get room(): number {
    return this.#prefetch - this.#counts.kept;
  }

  /**
   * Removed dead letters whose acknowledgements may not have reached the queue. The queue sends a further dead letter only after
   * an acknowledgement, so each one above the prefetch proves one.
   */
  get unproven(): number {
    const { received, removed } = this.#counts;
    return removed - Math.max(0, received - this.#prefetch);
  }

  add(deliveryTag: number): void {
    this.#counts.received += 1;
    this.#undecided += 1;
    this.#open.add(deliveryTag);
  }

  keep(): void {
    this.#counts.kept += 1;
    this.#undecided -= 1;
  }

  remove(message: ConsumeMessage): void {
    this.#counts.removed += 1;
    this.#undecided -= 1;
    this.#open.delete(message.fields.deliveryTag);
    this.#removed.push(message);
    this.#turn ??= setImmediate(() => this.#acknowledge());
  }

  /** Makes sure that all acknowledgements have reached the queue, and goes on. */
  async prove(): Promise<void> {
    await this.stop();
    await this.#begin(Math.max(1, this.#maxUndecided - this.#undecided));
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
    this.#prefetch = 0;
    this.#counts = { received: 0, removed: 0, kept: 0 };
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
