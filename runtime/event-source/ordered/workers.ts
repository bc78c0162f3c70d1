import type { Channel } from 'amqplib';
import type { BrokerConnection } from '../../amqp/connection.ts';
import { plainConsume } from '../../amqp/plain-consume.ts';

/**
 * Counts the workers of a queue with partitions by the consumers of a queue that gets no messages: RabbitMQ 3.10 counts only the
 * active consumer of a partition.
 */
export class Workers {
  readonly #connection: Pick<BrokerConnection, 'channel'>;
  readonly #queue: string;
  #channel: Channel | undefined;

  /** @param queue that all workers consume. */
  constructor(connection: Pick<BrokerConnection, 'channel'>, queue: string) {
    this.#connection = connection;
    this.#queue = queue;
  }

  /**
   * Number of workers, this one included.
   *
   * @throws as `BrokerConnection.channel`, or the error of a channel that was closed.
   */
  async count(): Promise<number> {
    const channel = this.#channel ?? (await this.#open());
    return (await channel.checkQueue(this.#queue)).consumerCount;
  }

  /** This worker does not count any more. */
  async leave(): Promise<void> {
    // A channel that has closed does not count.
    await this.#channel?.close().catch(() => undefined);
  }

  async #open(): Promise<Channel> {
    const channel = await this.#connection.channel();
    channel.on('close', () => {
      if (this.#channel === channel) this.#channel = undefined;
    });
    this.#channel = channel;
    await plainConsume(channel)(this.#queue, () => undefined, { noAck: true });
    return channel;
  }
}
