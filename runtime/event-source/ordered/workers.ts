import type { Channel } from 'amqplib';
import type { BrokerConnection } from '../../amqp/connection.ts';
import { plainConsume } from '../../amqp/plain-consume.ts';
import { UnavailableError } from '../../base/errors.ts';
import { answered } from '../answered.ts';

export interface WorkersOptions {
  connection: Pick<BrokerConnection, 'channel' | 'discard'>;
  /** The queue that all workers consume. */
  queue: string;
  /** Milliseconds that the broker may take to answer. */
  answerMs: number;
}

/** A channel that counts as a worker until it is closed. */
interface Counted {
  channel: Channel;
  closed: AbortSignal;
}

/**
 * Counts the workers of a queue with partitions by the consumers of a queue that gets no messages: RabbitMQ 3.10 counts only the
 * active consumer of a partition.
 */
export class Workers {
  readonly #options: WorkersOptions;
  #counted: Counted | undefined;
  #hasLeft = false;

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  /**
   * Number of workers, this one included. One call at a time.
   *
   * @throws as `BrokerConnection.channel`, the error of a channel that was closed, or UnavailableError if the broker does not answer.
   */
  async count(): Promise<number> {
    const counted = this.#counted ?? (await this.#open());
    const { consumerCount } = await this.#answer(counted, counted.channel.checkQueue(this.#options.queue));
    return consumerCount;
  }

  /** This worker does not count any more. */
  async leave(): Promise<void> {
    this.#hasLeft = true;
    if (this.#counted) await this.#close(this.#counted);
  }

  async #open(): Promise<Counted> {
    const { connection, queue } = this.#options;
    const channel = await connection.channel();
    const closed = new AbortController();
    const counted = { channel, closed: closed.signal };
    this.#counted = counted;
    channel.on('close', () => {
      closed.abort(new UnavailableError('broker', 'the channel closed'));
      if (this.#counted === counted) this.#counted = undefined;
    });
    if (this.#hasLeft) await this.#close(counted);
    await this.#answer(
      counted,
      plainConsume(channel)(queue, () => undefined, { noAck: true }),
    );
    return counted;
  }

  /** A channel that has closed does not count, and one without an answer is discarded with its connection. */
  async #close(counted: Counted): Promise<void> {
    await this.#answer(counted, counted.channel.close()).catch(() => undefined);
  }

  #answer<T>({ channel, closed }: Counted, answer: Promise<T>): Promise<T> {
    const { connection, answerMs } = this.#options;
    return answered(answer, { connection, channel, ms: answerMs, signal: closed });
  }
}
