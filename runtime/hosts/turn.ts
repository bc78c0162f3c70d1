import type { Channel } from 'amqplib';
import { BrokerConnection, type ConnectionOptions } from '../amqp/connection.ts';
import { hasReplyCode } from '../amqp/reply-code.ts';
import { WarrenError } from '../base/errors.ts';

/** Queue that the process whose turn it is has for itself. */
export const turnQueue = (service: string): string => `warren.schedule.${service}`;

/**
 * Lets one of several processes work. The broker gives an exclusive queue to one connection, and deletes it with the connection, so
 * that the next process to ask has the turn. While the broker is unavailable, the last process goes on: no other can get the turn.
 */
export class Turn {
  readonly #connection: BrokerConnection;
  readonly #queue: string;
  #channel: Channel | undefined;
  #wasMine = false;

  constructor(options: ConnectionOptions & { queue: string }) {
    this.#connection = new BrokerConnection(options);
    this.#queue = options.queue;
  }

  /**
   * Resolves with whether it is the turn of this process.
   *
   * @throws WarrenError ERR_BROKER_REFUSED if the login lacks the right.
   */
  async isMine(): Promise<boolean> {
    if (this.#channel) return true;
    try {
      const channel = await this.#connection.channel();
      channel.once('close', () => {
        this.#channel = undefined;
      });
      await channel.assertQueue(this.#queue, { exclusive: true, durable: false });
      this.#channel = channel;
      this.#wasMine = true;
    } catch (cause) {
      if (hasReplyCode(cause, 403)) throw notAllowed(this.#queue, cause);
      if (cause instanceof WarrenError && cause.code === 'ERR_BROKER_REFUSED') throw cause;
      if (hasReplyCode(cause, 405)) this.#wasMine = false;
    }
    return this.#wasMine;
  }

  /** Gives the turn back. */
  close(): Promise<void> {
    return this.#connection.close();
  }
}

function notAllowed(queue: string, cause: unknown): WarrenError {
  const advice = 'set schedules: true for it in custom.warren.users, then run warren topology apply --users';
  const text = `the broker refused the queue "${queue}" to this login; ${advice}`;
  return new WarrenError('ERR_BROKER_REFUSED', text, { cause });
}
