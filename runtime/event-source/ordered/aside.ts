import type { ConsumeMessage } from 'amqplib';
import { type Death, deathsIn } from '../../amqp/deaths.ts';
import { expiresAtHeader } from '../../amqp/headers.ts';
import { parkedQueue } from '../../topology/names.ts';
import { noteArrival } from '../expiring.ts';
import type { QueueConsumer } from '../queue-consumer.ts';
import type { Subscription } from '../subscription.ts';
import type { Held, Lanes } from './key-lanes.ts';
import type { PartitionConsumer } from './partition-consumer.ts';
import { type Others, Surplus } from './surplus.ts';

/** Messages in hand that were aside. They are of keys that have more than their share, so few are enough. */
const prefetch = 16;

type Own = Held<PartitionConsumer>;
type OwnLanes = Pick<Lanes<PartitionConsumer>, 'isFull' | 'takeSurplus' | 'push'>;

/**
 * The messages of a partition that wait aside, because their keys have as many in hand as they may. The broker moves a rejected message
 * there at least once, so that nothing has to be published, and those behind it need not wait. The worker that the broker feeds from the
 * partition takes both.
 */
export class Aside {
  readonly #partition: string;
  readonly #lanes: OwnLanes;
  readonly #consumer: QueueConsumer;
  readonly #surplus: Surplus<PartitionConsumer>;

  constructor(subscription: Subscription, partition: string, lanes: OwnLanes, others: Others) {
    this.#partition = partition;
    this.#lanes = lanes;
    this.#surplus = new Surplus(others);
    this.#consumer = subscription.newConsumer();
  }

  /** Takes the messages that are aside, on the channel of the partition: both end together. */
  async start(): Promise<void> {
    await this.#consumer.start(parkedQueue(this.#partition), prefetch);
  }

  /** Whether it has messages above the shares of their keys. */
  get isBusy(): boolean {
    return !this.#surplus.isEmpty;
  }

  /** Bytes of those. */
  get bytes(): number {
    return this.#surplus.bytes;
  }

  /** Whether it takes a message of the partition, because its key has no room. */
  takes(held: Own): boolean {
    if (this.#wasAside(held) || !this.#lanes.isFull?.(held)) return false;
    this.#surplus.add(held);
    return true;
  }

  /** Moves messages aside that keep others from this worker: after those that arrived together, because each look costs time. */
  moveExcess(source: PartitionConsumer): void {
    const now = performance.now();
    for (;;) {
      const held = this.#surplus.takeExcess(source.hand, now);
      if (!held) return;
      source.refuse(held);
    }
  }

  /** A message of a key is done: another one that was taken may have its place. */
  refill(source: PartitionConsumer, key: string | undefined): void {
    const held = this.#surplus.firstOf(key);
    if (!held || source.hasLeft || this.#lanes.isFull?.(held)) return;
    this.#surplus.remove(held);
    source.received(held);
    this.#lanes.push(held);
  }

  /** Forgets the messages that it took. They go back to the partition. */
  clear(): void {
    this.#surplus.clear();
  }

  /** A message has joined those in hand: moves others aside if the keys that came first have taken the room of the rest. */
  makeRoom(source: PartitionConsumer): void {
    const surplus = this.#lanes.takeSurplus?.(source, (held) => !this.#wasAside(held));
    if (surplus) source.refuse(surplus);
  }

  #wasAside({ delivery }: Held): boolean {
    return delivery.fields.consumerTag === this.#consumer.tag;
  }

  /**
   * Gives a message that was aside the exchange and the routing key with which it was published, and the time at which it expires: the
   * broker removes the expiration of a message that it moves.
   */
  restore(delivery: ConsumeMessage): void {
    const { fields, properties } = delivery;
    const { headers = {} } = properties;
    const deaths = deathsIn(headers['x-death'])?.filter(({ queue }) => queue === this.#partition) ?? [];
    const death = deaths.find(({ reason }) => reason === 'rejected') ?? deaths[0];
    if (!death) return;
    fields.exchange = death.exchange ?? fields.exchange;
    fields.routingKey = death.routingKey ?? fields.routingKey;
    const expiresAt = new Date(Math.min(...deaths.map(expiryOf)));
    // Infinity if it never does.
    if (Number.isNaN(expiresAt.getTime())) return;
    headers[expiresAtHeader] ??= expiresAt.toISOString();
    noteArrival(delivery);
  }
}

/** When a message expires that was moved, or has expired before that, in milliseconds since 1970; Infinity if it never does. */
function expiryOf({ reason, diedAt, expiration }: Death): number {
  if (diedAt === undefined) return Number.POSITIVE_INFINITY;
  const movedAt = Date.parse(diedAt);
  if (reason === 'expired') return movedAt;
  // The broker's time has no part of a second.
  return expiration === undefined ? Number.POSITIVE_INFINITY : movedAt + 1000 + Number(expiration);
}
