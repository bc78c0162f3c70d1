import type { ConsumeMessage } from 'amqplib';
import { type Listed, OpenList } from '../base/open-list.ts';
import type { Acknowledger } from './acknowledger.ts';

/** A call that is not acknowledged yet. */
export class OpenAck implements Listed {
  readonly delivery: ConsumeMessage;
  isDone = false;
  // Fields of `Listed`, so that all of them have one hidden class.
  isListed = false;
  before: OpenAck | undefined = undefined;
  after: OpenAck | undefined = undefined;
  readonly #acks: CallAcks;

  constructor(delivery: ConsumeMessage, acks: CallAcks) {
    this.delivery = delivery;
    this.#acks = acks;
  }

  /** Acknowledges the call at the end of this turn of the event loop. */
  done(): void {
    this.#acks.done(this);
  }

  /** Acknowledges it before anything else is sent on its channel. */
  now(): void {
    this.#acks.now(this);
  }
}

/**
 * Acknowledges the calls of one channel, which end in any order. The confirms of several replies arrive together: the oldest calls,
 * if none before them is open, then need one acknowledgement, and each of the others one of its own.
 */
export class CallAcks {
  readonly #acknowledger: Pick<Acknowledger, 'one' | 'done' | 'flush'>;
  readonly #open = new OpenList<OpenAck>();
  #done: OpenAck[] = [];

  constructor(acknowledger: Pick<Acknowledger, 'one' | 'done' | 'flush'>) {
    this.#acknowledger = acknowledger;
  }

  /** Adds a call. Calls have to be added in the order of their deliveries. */
  add(delivery: ConsumeMessage): OpenAck {
    const ack = new OpenAck(delivery, this);
    this.#open.add(ack);
    return ack;
  }

  done(ack: OpenAck): void {
    ack.isDone = true;
    this.#done.push(ack);
    // After the promises of all replies that were confirmed with this one. An immediate would be a turn later.
    if (this.#done.length === 1) process.nextTick(this.flush);
  }

  now(ack: OpenAck): void {
    this.#open.delete(ack);
    this.#acknowledger.one(ack.delivery);
  }

  /** Sends the acknowledgements that wait, before the channel is closed. */
  readonly flush = (): void => {
    const done = this.#done;
    this.#done = [];
    const oldest: ConsumeMessage[] = [];
    for (let ack = this.#open.first; ack?.isDone; ack = this.#open.first) {
      this.#open.delete(ack);
      oldest.push(ack.delivery);
    }
    const [only] = oldest;
    if (only && oldest.length === 1) this.#acknowledger.one(only);
    else if (only) {
      this.#acknowledger.done(oldest);
      this.#acknowledger.flush();
    }
    for (const ack of done) if (this.#open.delete(ack)) this.#acknowledger.one(ack.delivery);
  };
}
