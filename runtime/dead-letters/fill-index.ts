import { setTimeout as sleep } from 'node:timers/promises';
import type { Channel, GetMessage, Message } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { Publisher } from '../amqp/publisher.ts';
import { hasReplyCode } from '../amqp/reply-code.ts';
import { WarrenError } from '../base/errors.ts';
import { deadLetterNews } from '../topology/names.ts';
import { addEntry } from './index-entry.ts';
import { answered, lost } from './stream.ts';

/** Copies that are published to the index at the same time. */
const window = 500;
/** Milliseconds without a copy, after which `basic.get` finds out whether another is there. */
const quietMs = 30;

/**
 * Moves the copies of new dead letters from their queue to the index. The broker does not write them there itself, because it
 * cannot write a header of the type decimal to a stream. A copy leaves the queue only after its entry is confirmed, so an
 * interrupted command loses none; entries of up to 500 may exist twice then.
 *
 * @param url AMQP URL of the broker of `connection`.
 * @throws as `Publisher.publish`; UnavailableError if the connection is lost; the broker's error with 403 if the login may not
 *   read the queue.
 */
export async function fillIndex(url: string, connection: BrokerConnection): Promise<void> {
  const channel = await connection.channel();
  const first = await channel.get(deadLetterNews).catch((error: unknown) => {
    // The index of an older version, whose entries the broker writes.
    if (hasReplyCode(error, 404)) return undefined;
    throw error;
  });
  if (first === undefined) return;
  const filling = new Filling(url, channel);
  try {
    if (first) await filling.moveAll(first);
  } finally {
    await filling.close();
  }
  await channel.close();
}

class Filling {
  readonly #channel: Channel;
  readonly #publisher: Publisher;
  readonly #moving = new Set<Promise<void>>();
  #moved = 0;
  #failure: unknown;

  constructor(url: string, channel: Channel) {
    this.#channel = channel;
    this.#publisher = new Publisher({ url, name: 'warren dead-letters index' });
    channel.once('close', () => this.#fail(lost()));
  }

  /**
   * Moves a copy and those that wait behind it. Copies that arrive later are left for the next command, which would never begin
   * otherwise while dead letters arrive faster than they are moved.
   */
  async moveAll(first: GetMessage): Promise<void> {
    const waiting = first.fields.messageCount + 1;
    for (let message: GetMessage | false = first; message; ) {
      this.#move(message);
      await this.#moveDelivered(waiting);
      message = this.#moved < waiting && (await answered(() => this.#channel.get(deadLetterNews)));
    }
  }

  /** Moves what the broker delivers, until it delivers no more. */
  async #moveDelivered(waiting: number): Promise<void> {
    await answered(() => this.#channel.prefetch(window));
    const { consumerTag } = await answered(() =>
      this.#channel.consume(deadLetterNews, (message) => {
        if (message) this.#move(message);
        else this.#fail(lost());
      }),
    );
    for (let before = -1; this.#moved < waiting && (before < this.#moved || this.#moving.size > 0); ) {
      before = this.#moved;
      await sleep(quietMs);
      if (this.#failure) throw this.#failure;
    }
    await answered(() => this.#channel.cancel(consumerTag));
    await Promise.all(this.#moving);
    if (this.#failure) throw this.#failure;
  }

  async close(): Promise<void> {
    await Promise.all(this.#moving);
    await this.#publisher.close();
  }

  #move(message: Message): void {
    const moving = this.#publish(message)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#moving.delete(moving));
    this.#moving.add(moving);
  }

  async #publish(message: Message): Promise<void> {
    try {
      await addEntry(this.#publisher, message);
    } catch (error) {
      // What cannot be encoded stays out of the index, and must not block it. `reindex` names it.
      if (error instanceof WarrenError) throw error;
    }
    this.#channel.ack(message);
    this.#moved += 1;
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
  }
}
