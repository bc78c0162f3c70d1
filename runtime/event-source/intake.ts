import type { ConsumeMessage } from 'amqplib';
import type { Acknowledger } from './acknowledger.ts';
import type { Deliveries } from './delivery-buffer.ts';
import { noteArrival } from './expiring.ts';
import { maxBytesOf, sizeOf } from './mapping.ts';
import type { Uncalled } from './set-back.ts';
import type { SubscriptionOptions } from './subscription-options.ts';

export interface IntakeOptions
  extends Pick<SubscriptionOptions, 'mapping' | 'matches' | 'observer' | 'queueDelay' | 'arrivals'> {
  acknowledger: Acknowledger;
  uncalled: Uncalled;
  deliveries: Deliveries;
  /** Limit for the bytes of the deliveries that wait. */
  maxBytes: number;
}

/** Adds the messages that arrive to the deliveries that wait, except those that the function does not want. */
export class Intake {
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /**
   * Takes a message.
   *
   * @param isPausing whether no more messages are wanted.
   * @returns whether the messages that wait exceed the limit for bytes.
   */
  take(message: ConsumeMessage, isPausing: boolean): boolean {
    const { mapping, matches, observer, queueDelay, arrivals } = this.#options;
    const { acknowledger, uncalled, deliveries, maxBytes } = this.#options;
    queueDelay.received(message);
    const isTooLarge = sizeOf(message) > maxBytesOf(mapping);
    if (!isTooLarge && !matches(message.content)) {
      acknowledger.one(message);
      observer.filtered?.(mapping);
      return false;
    }
    // A call is never given back for being too early: its host would take it for one that was begun.
    const isRpc = mapping.kind === 'rpc';
    if (!isRpc && !uncalled.add(message) && isPausing) {
      queueDelay.giveBack(acknowledger, message);
      return false;
    }
    const isSuspect = isTooLarge || queueDelay.isSuspect(message);
    // The deadline of a call has other reasons besides, and is computed when it is made.
    if (!isRpc) noteArrival(message);
    deliveries.push(message, isSuspect, arrivals.earliest());
    // Messages that are much larger than those before them. A fixed prefetch always fits, and a limited one is a batch at most.
    const isFixed = isRpc || mapping.singleActiveConsumer || mapping.limit !== undefined;
    return !isFixed && deliveries.bytes > maxBytes;
  }
}
