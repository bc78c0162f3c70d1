import { type ConfirmChannel as AmqpChannel, IllegalOperationError } from 'amqplib';
import { UnavailableError, UnroutableError } from '../base/errors.ts';
import type { BrokerConnection } from './connection.ts';
import { type OutgoingMessage, properties } from './outgoing.ts';
import { withRawHeaders } from './raw-headers.ts';

/** A message that is not confirmed yet. */
interface Pending {
  exchange: string;
  routingKey: string;
  messageId: string;
  /** Its deadline, by `performance.now`. */
  until: number;
  returned: boolean;
  reject: (error: Error) => void;
}

export interface ConfirmChannelOptions {
  /** Limit for a confirm in milliseconds. */
  deadlineMs: number;
  /** Called when the channel has closed or cannot be opened. */
  ended: () => void;
  /** Called with true when the socket's buffer is full, and with false when it has drained or the channel has ended. */
  full: (isFull: boolean) => void;
  /** Called for each message whose confirm is late, before the message fails. */
  late: (channel: ConfirmChannel) => void;
}

/**
 * The broker closed the channel or its connection because of a message on it. The broker does not report which message, but
 * on the second try of a publisher it is this one, because it has a connection of its own then.
 */
export class PublishRefusedError extends UnavailableError {
  override name = 'PublishRefusedError';
  override readonly code = 'ERR_PUBLISH_REFUSED';
  /** The broker's reason (AMQP 0-9-1, 1.1). */
  readonly replyCode: number | undefined;

  constructor(cause: Error & { code?: unknown }) {
    super('broker', `the broker refused what was published: ${cause.message}`, { cause });
    this.replyCode = typeof cause.code === 'number' ? cause.code : undefined;
  }
}

/** Whether the broker refused a publish. */
export function isPublishRefused(error: unknown): error is PublishRefusedError {
  return error instanceof UnavailableError && error.code === 'ERR_PUBLISH_REFUSED';
}

/** The error for a broker that does not answer in time. */
export function noAnswer(ms: number): UnavailableError {
  return new UnavailableError('broker', `no answer from the broker within ${Math.round(ms)} ms`);
}

/** A channel with publisher confirms and the messages on it that are not confirmed yet, in the order of their publishes. */
export class ConfirmChannel {
  readonly #channel: AmqpChannel;
  readonly #options: ConfirmChannelOptions;
  readonly #pending = new Set<Pending>();
  /** Runs while a message is pending. One timer serves all messages, because all have the same limit. */
  #timer: NodeJS.Timeout | undefined;

  /**
   * Opens a channel.
   *
   * @throws as `BrokerConnection.channel`.
   */
  static async open(connection: BrokerConnection, options: ConfirmChannelOptions): Promise<ConfirmChannel> {
    try {
      return new ConfirmChannel(connection, await connection.confirmChannel(), options);
    } catch (error) {
      options.ended();
      throw error;
    }
  }

  private constructor(connection: BrokerConnection, channel: AmqpChannel, options: ConfirmChannelOptions) {
    this.#channel = channel;
    this.#options = options;
    channel.on('return', ({ fields, properties: { messageId } }) => this.#markReturned(fields, messageId));
    channel.on('drain', () => options.full(false));
    // Comes before 'close'. If the connection ends, only 'close' comes.
    channel.on('error', (cause: Error) => this.#end(new PublishRefusedError(cause)));
    // Before amqplib's own listener, which reports unconfirmed messages as refused ones.
    channel.prependListener('close', () => this.#end(lossOn(connection)));
  }

  /**
   * Publishes a message and resolves when the broker has confirmed it. The deadline starts now, when the message is written.
   *
   * @param content the encoded body.
   * @throws UnroutableError if a mandatory message reached no queue, UnavailableError if it was not confirmed,
   *   PublishRefusedError if the broker closed the channel or the connection.
   */
  publish(message: OutgoingMessage, content: Buffer, messageId: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const { exchange, routingKey } = message;
      const { deadlineMs } = this.#options;
      const until = performance.now() + deadlineMs;
      const entry: Pending = { exchange, routingKey, messageId, until, returned: false, reject };
      const settle = (refused: unknown) => {
        this.#pending.delete(entry);
        // A nack. Messages that end with their channel were rejected before amqplib calls this.
        if (refused)
          reject(new UnavailableError('broker', 'the broker refused the message', { cause: refused }));
        else if (entry.returned) reject(new UnroutableError(exchange, routingKey));
        else resolve();
      };
      try {
        const fields = properties(message, messageId);
        const publish = () => this.#channel.publish(exchange, routingKey, content, fields, settle);
        const written = message.table ? withRawHeaders(this.#channel, message.table, publish) : publish();
        if (!written) this.#options.full(true);
      } catch (cause) {
        const closed = cause instanceof IllegalOperationError;
        reject(closed ? new UnavailableError('broker', 'the channel is closed', { cause }) : cause);
        return;
      }
      this.#pending.add(entry);
      this.#timer ??= setTimeout(() => this.#expire(), deadlineMs);
    });
  }

  /** Rejects the messages whose time is over and sets the timer for the oldest of the others. */
  #expire(): void {
    this.#timer = undefined;
    for (const entry of this.#pending) {
      const left = entry.until - performance.now();
      if (left > 0) {
        this.#timer = setTimeout(() => this.#expire(), left);
        return;
      }
      this.#pending.delete(entry);
      this.#options.late(this);
      entry.reject(noAnswer(this.#options.deadlineMs));
    }
  }

  /**
   * The broker returns a message before it confirms it, so the mark exists when the confirm comes. amqplib does not report
   * which publish it was; exchange, routing key and message id together identify it.
   */
  #markReturned(fields: { exchange: string; routingKey: string }, messageId: unknown): void {
    for (const entry of this.#pending) {
      const same = entry.messageId === messageId && entry.routingKey === fields.routingKey;
      if (!same || entry.exchange !== fields.exchange || entry.returned) continue;
      entry.returned = true;
      // Returns come in the order of the publishes, so the loop ends early however many messages are pending.
      return;
    }
  }

  #end(error: Error): void {
    this.#options.ended();
    this.#options.full(false);
    clearTimeout(this.#timer);
    for (const entry of this.#pending) entry.reject(error);
    this.#pending.clear();
  }
}

/** The reason why a message was not confirmed. A refusal that ended the connection comes first. */
function lossOn({ refusal }: BrokerConnection): UnavailableError {
  if (refusal) return new PublishRefusedError(refusal);
  return new UnavailableError('broker', 'the channel closed before the confirm');
}
