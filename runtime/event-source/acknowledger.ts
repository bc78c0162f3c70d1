import { type Channel, type ConsumeMessage, IllegalOperationError } from 'amqplib';

/**
 * Acknowledges on a channel with one call in flight at a time, so that every older delivery is done when a newer one is.
 * Deliveries that are done within one turn of the event loop are one acknowledgement: amqplib writes at the end of the turn in
 * any case, and the broker handles one instead of hundreds.
 */
export class Acknowledger {
  readonly #channel: Pick<Channel, 'ack' | 'nack'>;
  #last: ConsumeMessage | undefined;
  #turn: NodeJS.Immediate | undefined;

  constructor(channel: Pick<Channel, 'ack' | 'nack'>) {
    this.#channel = channel;
  }

  /** This delivery and all older ones are done. */
  done(delivery: ConsumeMessage): void {
    this.#last = delivery;
    this.#turn ??= setImmediate(() => this.flush());
  }

  /** This delivery is done, and nothing is known about older ones. */
  one(delivery: ConsumeMessage): void {
    this.flush();
    this.#ack(delivery, false);
  }

  /** This delivery goes back to its queue. */
  back(delivery: ConsumeMessage): void {
    this.flush();
    this.#send(() => this.#channel.nack(delivery, false, true));
  }

  /** Sends the acknowledgement that waits, before the channel is closed. */
  flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    const last = this.#last;
    this.#last = undefined;
    if (last) this.#ack(last, true);
  }

  #ack(delivery: ConsumeMessage, multiple: boolean): void {
    this.#send(() => this.#channel.ack(delivery, multiple));
  }

  #send(send: () => void): void {
    try {
      send();
    } catch (error) {
      // The channel has closed, so the broker delivers its messages again.
      if (!(error instanceof IllegalOperationError)) throw error;
    }
  }
}
