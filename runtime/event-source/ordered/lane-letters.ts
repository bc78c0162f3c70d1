import type { ConsumeMessage } from 'amqplib';
import { attemptsHeader } from '../../amqp/headers.ts';
import type { OutgoingMessage } from '../../amqp/outgoing.ts';
import type { PublisherLike } from '../../amqp/publisher.ts';
import type { ItemFailure } from '../../messages/verdicts.ts';
import type { CallOptions } from '../call.ts';
import { publishCopy } from '../copy.ts';
import { KnownCopies, type LeftCopy } from '../known-copies.ts';
import type { Held, Lanes } from './key-lanes.ts';
import type { PartitionConsumer } from './partition-consumer.ts';

type Own = Held<PartitionConsumer>;

export interface LaneLettersOptions extends Pick<CallOptions, 'mapping' | 'log' | 'maxHoldMs'> {
  publisher: PublisherLike;
  lanes: Pick<Lanes<PartitionConsumer>, 'done'>;
  /** Called when a key may continue. */
  ready: () => void;
  /** Acknowledges a message. */
  done: (held: Own) => void;
  /** Has a message called at once. */
  again: (held: Own) => void;
}

/** Publishes the dead letters of an ordered queue. The key of each waits until it is safe, or until its message goes back. */
export class LaneLetters {
  readonly #options: LaneLettersOptions;
  readonly #copies = new KnownCopies();
  readonly #checked = new WeakSet<ConsumeMessage>();
  /** The attempts in the headers of messages when they arrived. */
  readonly #attempts = new WeakMap<ConsumeMessage, unknown>();

  constructor(options: LaneLettersOptions) {
    this.#options = options;
  }

  /** Takes note of a message before its headers count a failure. */
  keep({ delivery }: Own): void {
    if (this.#attempts.has(delivery)) return;
    this.#attempts.set(delivery, delivery.properties.headers?.[attemptsHeader]);
  }

  /** The messages to call. One that went back before its dead letter was confirmed waits for that, and does not keep the others. */
  unknown(taken: readonly Own[]): Own[] {
    return taken.filter((held) => {
      const { delivery } = held;
      if (this.#checked.has(delivery) || this.#copies.hasNone([delivery])) return true;
      this.#checked.add(delivery);
      void this.#check(held);
      return false;
    });
  }

  async #check(held: Own): Promise<void> {
    const { source, delivery } = held;
    const { done, again, ready } = this.#options;
    source.begin();
    const { known, unconfirmed } = await this.#copies.knownIn([delivery], source.ended);
    const left = unconfirmed.get(delivery);
    if (left) await this.add(held, left.failure, left.copy);
    else if (known.has(delivery)) done(held);
    else again(held);
    source.end();
    ready();
  }

  /**
   * Dead-letters a message, and acknowledges it then. A message that cannot be published is left to the broker.
   *
   * @param copy the dead letter, default a new one.
   */
  async add(held: Own, failure: ItemFailure, copy?: OutgoingMessage): Promise<void> {
    const { source, delivery, since } = held;
    const { lanes, ready, done } = this.#options;
    this.keep(held);
    const copies = { leave: (_: unknown, left: LeftCopy) => this.#leave(delivery, left) };
    // A message that is returned would come behind those of its key that its consumer holds.
    const acknowledger = { reject: () => source.refuse(held) };
    source.begin();
    const copying = { delivery, failure, since, ...(copy && { copy }) };
    const copied = await publishCopy({ ...this.#options, copies }, { acknowledger }, copying, source.ended);
    if (copied === 'copied') done(held);
    else {
      // It goes back, and comes again before those behind it.
      if (copied === 'kept') await source.leave();
      lanes.done(held);
    }
    source.end();
    ready();
  }

  /** Remembers a dead letter by its message as it arrived, and not as it is after its attempts here. */
  #leave(delivery: ConsumeMessage, left: LeftCopy): void {
    this.#copies.leave(delivery, left, this.#attempts.get(delivery) ?? null);
  }
}
