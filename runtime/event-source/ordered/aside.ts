import type { ConsumeMessage } from 'amqplib';
import { deathsIn } from '../../amqp/deaths.ts';
import { parkedQueue } from '../../topology/names.ts';
import type { QueueConsumer } from '../queue-consumer.ts';
import type { Subscription } from '../subscription.ts';
import type { Held, Lanes } from './key-lanes.ts';

/** Messages in hand that were aside. They are of keys that have more than their share, so few are enough. */
const prefetch = 16;

/**
 * The messages of a partition that wait aside, because their keys have as many in hand as they may. The broker moves a rejected message
 * there at least once, so that nothing has to be published, and those behind it need not wait. The worker that the broker feeds from the
 * partition takes both.
 */
export class Aside {
  readonly #subscription: Subscription;
  readonly #partition: string;
  readonly #lanes: Pick<Lanes, 'isFull'>;
  #consumer: QueueConsumer | undefined;

  constructor(subscription: Subscription, partition: string, lanes: Pick<Lanes, 'isFull'>) {
    this.#subscription = subscription;
    this.#partition = partition;
    this.#lanes = lanes;
  }

  /** Takes the messages that are aside, on the channel of the partition: both end together. */
  async start(): Promise<void> {
    this.#consumer ??= await this.#subscription.join(parkedQueue(this.#partition), prefetch);
  }

  /** Whether it takes a message of the partition, because its key has no room. */
  takes({ delivery, key }: Held): boolean {
    const isAside = delivery.fields.consumerTag === this.#consumer?.tag;
    if (!this.#consumer || isAside || !this.#lanes.isFull?.(key)) return false;
    const { uncalled, acknowledger } = this.#subscription;
    uncalled.called([delivery]);
    acknowledger.refuse(delivery);
    return true;
  }

  /** Gives a message that was aside the exchange and the routing key with which it was published. */
  restore({ fields, properties }: ConsumeMessage): void {
    const death = deathsIn(properties.headers?.['x-death'])?.find(
      ({ queue, reason }) => queue === this.#partition && reason === 'rejected',
    );
    if (!death) return;
    fields.exchange = death.exchange ?? fields.exchange;
    fields.routingKey = death.routingKey ?? fields.routingKey;
  }
}
