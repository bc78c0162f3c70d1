import type { Channel } from 'amqplib';
import type { BrokerConnection } from '../../amqp/connection.ts';
import { UnavailableError } from '../../base/errors.ts';
import { answered } from '../answered.ts';

export interface AsideWatchOptions {
  connection: Pick<BrokerConnection, 'channel' | 'discard'>;
  /** The queues with messages that wait aside. */
  queues: readonly string[];
  /** Milliseconds that the broker may take to answer. */
  answerMs: number;
}

interface Opened {
  channel: Channel;
  closed: AbortSignal;
}

/**
 * Finds messages that wait aside and that no worker takes. Only the worker that the broker feeds from a partition takes those aside, and
 * it knows that by its first message. If all were aside when the worker before it ended, one has to go back to the partition.
 */
export class AsideWatch {
  readonly #options: AsideWatchOptions;
  #opened: Opened | undefined;

  constructor(options: AsideWatchOptions) {
    this.#options = options;
  }

  /**
   * Returns a message of each such queue to its partition. Several workers may do it at a time. One call at a time.
   *
   * @throws as `BrokerConnection.channel`, the error of a channel that was closed, or UnavailableError if the broker does not answer.
   */
  async look(): Promise<void> {
    const opened = this.#opened ?? (await this.#open());
    const { channel } = opened;
    for (const queue of this.#options.queues) {
      const { messageCount, consumerCount } = await this.#answer(opened, channel.checkQueue(queue));
      if (messageCount === 0 || consumerCount > 0) continue;
      const message = await this.#answer(opened, channel.get(queue));
      // The broker passes what is rejected there to the partition.
      if (message) channel.reject(message, false);
    }
  }

  async #open(): Promise<Opened> {
    const channel = await this.#options.connection.channel();
    const closed = new AbortController();
    channel.on('close', () => {
      closed.abort(new UnavailableError('broker', 'the channel closed'));
      this.#opened = undefined;
    });
    const opened = { channel, closed: closed.signal };
    this.#opened = opened;
    return opened;
  }

  #answer<T>({ channel, closed: signal }: Opened, answer: Promise<T>): Promise<T> {
    const { connection, answerMs: ms } = this.#options;
    return answered(answer, { connection, channel, ms, signal });
  }
}
