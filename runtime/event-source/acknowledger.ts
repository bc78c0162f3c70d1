import { type Channel, type ConsumeMessage, IllegalOperationError } from 'amqplib';
import { type Origin, recordSettlement, type Settlement } from './settlement.ts';

/** A third of the largest prefetch: the broker still has messages to send while an acknowledgement is on its way. */
const maxWaiting = 200;

/**
 * Acknowledges on a channel with one call in flight at a time, so that every older delivery is done when a newer one is.
 * Deliveries that are done within one turn of the event loop are one acknowledgement: amqplib writes at the end of the turn in
 * any case, and the broker handles one instead of hundreds.
 */
export class Acknowledger {
  readonly #channel: Pick<Channel, 'ack' | 'nack' | 'reject'>;
  readonly #origin: Origin;
  #done: (readonly ConsumeMessage[])[] = [];
  #turn: NodeJS.Immediate | undefined;
  /** Messages that are done and not acknowledged yet. */
  #waiting = 0;

  /** @param origin queue and broker of the deliveries, for their traces. */
  constructor(channel: Pick<Channel, 'ack' | 'nack' | 'reject'>, origin: Origin) {
    this.#channel = channel;
    this.#origin = origin;
  }

  /** These deliveries, in their order, and all older ones are done. */
  done(deliveries: readonly ConsumeMessage[]): void {
    this.#done.push(deliveries);
    this.#waiting += deliveries.length;
    this.#turn ??= setImmediate(() => this.flush());
  }

  /**
   * Sends the acknowledgement if many messages wait for it. All that one read from the socket has brought is otherwise handled in one
   * turn of the event loop, and the broker, which has sent all that the prefetch allows, waits for its end.
   *
   * @returns undefined if few wait, or else a promise that resolves when it is written.
   */
  writeIfMany(): Promise<void> | undefined {
    if (this.#waiting < maxWaiting) return undefined;
    this.flush();
    return written();
  }

  /** This delivery is done, and nothing is known about older ones. */
  one(delivery: ConsumeMessage): void {
    this.flush();
    this.#settle(
      'ack',
      () => [delivery],
      () => this.#channel.ack(delivery),
    );
  }

  /** Gives this delivery back. The broker counts it, and dead-letters the message at its limit. */
  reject(delivery: ConsumeMessage): void {
    this.#settle(
      'reject',
      () => [delivery],
      () => this.#channel.reject(delivery, true),
    );
  }

  /** The broker dead-letters this delivery as it is. */
  refuse(delivery: ConsumeMessage): void {
    this.#settle(
      'reject',
      () => [delivery],
      () => this.#channel.reject(delivery, false),
    );
  }

  /**
   * Gives this delivery back. RabbitMQ 4.3 and later do not count it, and a policy may delay its return.
   *
   * @returns false if the channel has closed, so that the broker has the message again.
   */
  putBack(delivery: ConsumeMessage): boolean {
    return this.#settle(
      'nack',
      () => [delivery],
      () => this.#channel.nack(delivery, false, true),
    );
  }

  /** Sends the acknowledgement that waits, before the channel is closed. */
  flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    const done = this.#done;
    const last = done.at(-1)?.at(-1);
    if (!last) return;
    this.#done = [];
    this.#waiting = 0;
    this.#settle(
      'ack',
      () => done.flat(),
      () => this.#channel.ack(last, true),
    );
  }

  #settle(how: Settlement, deliveries: () => readonly ConsumeMessage[], send: () => void): boolean {
    try {
      send();
    } catch (error) {
      // The channel has closed, so the broker delivers its messages again.
      if (!(error instanceof IllegalOperationError)) throw error;
      return false;
    }
    recordSettlement(how, deliveries, this.#origin);
    return true;
  }
}

/** Resolves when amqplib has written what it was given: it writes in an immediate that it requests in a tick. */
function written(): Promise<void> {
  return new Promise((resolve) => process.nextTick(setImmediate, resolve));
}
