import { type ConfirmChannel as AmqpChannel, IllegalOperationError } from 'amqplib';
import { UnavailableError, UnroutableError } from '../base/errors.ts';
import { OpenList } from '../base/open-list.ts';
import { untraced } from '../base/trace.ts';
import type { BrokerConnection } from './connection.ts';
import { onLadder } from './delay.ts';
import { type OutgoingMessage, properties } from './outgoing.ts';
import { isPatient, Pending } from './pending.ts';
import { answersOn } from './probe.ts';
import { LateConfirmError, noAnswer, PublishRefusedError } from './publish-errors.ts';
import { withRawHeaders, withRawTexts } from './raw-headers.ts';
import { takeTexts } from './raw-texts.ts';

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

/** A channel with publisher confirms and the messages on it that are not confirmed yet, in the order of their publishes. */
export class ConfirmChannel {
  readonly #channel: AmqpChannel;
  readonly #options: ConfirmChannelOptions;
  readonly #connection: BrokerConnection;
  readonly #pending = new OpenList<Pending>();
  /** Runs while a message is pending. One timer serves all messages, because all have the same limit. */
  #timer: NodeJS.Timeout | undefined;
  #probing = false;

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
    this.#connection = connection;
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
   * @param given with its time in place of a delay (`timed`).
   * @param content the encoded body.
   * @throws UnroutableError if a mandatory message reached no queue, UnavailableError if it was not confirmed,
   *   PublishRefusedError if the broker closed the channel or the connection.
   */
  publish(given: OutgoingMessage, content: Buffer, messageId: string): Promise<void> {
    return new Promise((resolve, reject) => {
      // Each try has the delay that is left.
      const message = onLadder(given);
      const { exchange, routingKey } = message;
      const { deadlineMs } = this.#options;
      const entry = new Pending(given, deadlineMs, { exchange, routingKey, messageId, reject });
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
        const channel = this.#channel;
        const texts = takeTexts(fields);
        const { table } = message;
        const publish = () => channel.publish(exchange, routingKey, content, fields, settle);
        const withTable = table ? () => withRawHeaders(channel, table, publish) : publish;
        const written = untraced(texts ? () => withRawTexts(channel, texts, withTable) : withTable);
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
    const { deadlineMs } = this.#options;
    this.#timer = undefined;
    for (let entry = this.#pending.first; entry; entry = this.#pending.first) {
      const now = performance.now();
      if (entry.until > now) {
        this.#timer = setTimeout(() => this.#expire(), entry.until - now);
        return;
      }
      this.#pending.delete(entry);
      if (isPatient(entry, now, this.#connection.blocked)) {
        // The list is in the order of the deadlines, and this one is the latest now.
        this.#pending.add(Object.assign(entry, { until: now + deadlineMs }));
        void this.#probe();
        continue;
      }
      // A discarded connection would fail the messages that may still wait.
      if (!this.#isAnyPatient(now)) this.#options.late(this);
      entry.reject(entry.once ? new LateConfirmError() : noAnswer(deadlineMs));
    }
  }

  #isAnyPatient(now: number): boolean {
    for (const entry of this.#pending) if (isPatient(entry, now, this.#connection.blocked)) return true;
    return false;
  }

  /** Ends this channel if the broker does not answer on its connection. A broker that answers confirms its messages later. */
  async #probe(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    const { deadlineMs } = this.#options;
    const answers = await answersOn(this.#connection, deadlineMs);
    this.#probing = false;
    if (answers || this.#pending.size === 0) return;
    this.#options.late(this);
    this.#end(noAnswer(deadlineMs));
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
