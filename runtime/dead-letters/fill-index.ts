import { setTimeout as sleep } from 'node:timers/promises';
import type { Channel, GetMessage, Message } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { hasReplyCode } from '../amqp/reply-code.ts';
import { WarrenError } from '../base/errors.ts';
import { deadLetterNews } from '../topology/names.ts';
import type { EntryWriter } from './entry-writer.ts';
import { answered, lost } from './stream.ts';

/** Copies that are published to the index at the same time. */
const window = 500;
/** Milliseconds without a copy, after which `basic.get` finds out whether another is there. */
const quietMs = 30;

/**
 * Moves the copies of new dead letters from their queue to the index. The broker does not write them there itself, because it
 * cannot write a header of the type decimal to a stream. A copy leaves the queue only after its entry is confirmed, so an
 * interrupted command loses none. The broker delivers the copies in flight again then, and those that have an entry get no second.
 */
export class IndexFilling {
  readonly #url: string;
  readonly #connection: BrokerConnection;
  #writer: Promise<EntryWriter> | undefined;
  readonly #moving = new Set<Promise<void>>();
  #channel: Channel | undefined;
  /** Copies that waited at the first call; later ones are left for the next command, which would never end otherwise. */
  #waiting: number | undefined;
  #moved = 0;
  #failure: unknown;

  /** @param url AMQP URL of the broker of `connection`. */
  constructor(url: string, connection: BrokerConnection) {
    this.#url = url;
    this.#connection = connection;
  }

  /**
   * Moves the oldest copies.
   *
   * @param count number of copies; those that the broker has sent ahead, up to 500, are moved as well.
   * @returns the number of copies that are left of those that waited at the first call.
   * @throws as `Publisher.publish`; UnavailableError if the connection is lost; the broker's error with 403 if the login may not
   *   read the queue.
   */
  async move(count: number): Promise<number> {
    const channel = await this.#open();
    let message = await this.#next(channel);
    if (!message) return 0;
    this.#waiting ??= message.fields.messageCount + 1;
    const until = Math.min(this.#moved + count, this.#waiting);
    while (message) {
      this.#move(channel, message);
      await this.#moveDelivered(channel, until);
      message = this.#moved < until && (await this.#next(channel));
    }
    return Math.max(0, this.#waiting - this.#moved);
  }

  /** Waits for the copies in flight, and closes its channel. */
  async close(): Promise<void> {
    // If a request had no answer, the broker may still deliver.
    this.#fail(lost());
    await Promise.all(this.#moving);
    await (await this.#writer)?.close();
    // A channel that failed is closed.
    await this.#channel?.close().catch(() => undefined);
  }

  async #open(): Promise<Channel> {
    if (this.#channel) return this.#channel;
    this.#channel = await this.#connection.channel();
    this.#channel.once('close', () => this.#fail(lost()));
    return this.#channel;
  }

  async #next(channel: Channel): Promise<GetMessage | false> {
    if (this.#waiting !== undefined) return answered(() => channel.get(deadLetterNews));
    return channel.get(deadLetterNews).catch((error: unknown) => {
      // The index of an older version, whose entries the broker writes.
      if (hasReplyCode(error, 404)) return false;
      throw error;
    });
  }

  /** Moves what the broker delivers, until it delivers no more. */
  async #moveDelivered(channel: Channel, until: number): Promise<void> {
    await answered(() => channel.prefetch(window));
    const { consumerTag } = await answered(() =>
      channel.consume(deadLetterNews, (message) => {
        if (message) this.#move(channel, message);
        else this.#fail(lost());
      }),
    );
    for (let before = -1; this.#moved < until && (before < this.#moved || this.#moving.size > 0); ) {
      before = this.#moved;
      await sleep(quietMs);
      if (this.#failure) throw this.#failure;
    }
    await answered(() => channel.cancel(consumerTag));
    await Promise.all(this.#moving);
    if (this.#failure) throw this.#failure;
  }

  #move(channel: Channel, message: Message): void {
    // The broker delivers it again when the channel closes.
    if (this.#failure) return;
    const moving = this.#publish(channel, message)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#moving.delete(moving));
    this.#moving.add(moving);
  }

  async #publish(channel: Channel, message: Message): Promise<void> {
    this.#writer ??= this.#openWriter();
    const writer = await this.#writer;
    const isDone = message.fields.redelivered && (await writer.tail.take(message));
    try {
      if (!isDone) await writer.add(message);
    } catch (error) {
      // What cannot be encoded stays out of the index, and must not block it. `reindex` names it.
      if (error instanceof WarrenError) throw error;
    }
    channel.ack(message);
    this.#moved += 1;
  }

  /** Most commands find no copy, and need no publisher. */
  async #openWriter(): Promise<EntryWriter> {
    const { EntryWriter } = await import('./entry-writer.ts');
    return new EntryWriter(this.#url, 'warren dead-letters index', this.#connection);
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
  }
}
