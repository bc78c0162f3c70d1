import type { Channel, ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from '../../amqp/connection.ts';
import { plainConsume } from '../../amqp/plain-consume.ts';
import { UnavailableError } from '../../base/errors.ts';
import type { LimitQueues } from '../../topology/token-names.ts';
import { answered } from '../answered.ts';
import { QueueConsumer } from '../queue-consumer.ts';
import type { TokensSeen } from './tokens-seen.ts';

export interface TokensOptions {
  connection: Pick<BrokerConnection, 'channel' | 'discard'>;
  /** The queues of the limit. */
  queues: LimitQueues;
  seen: TokensSeen;
  /** Milliseconds that the broker may take to answer. */
  answerMs: number;
  /** Called when its tokens may not be used any more: the broker has them again, or the limit was deleted. */
  ended: () => void;
}

/**
 * The tokens of a limit that a consumer holds, on a channel of its own. It asks the broker for tokens only while it waits for one, so
 * that it keeps none from other workers during its calls.
 */
export class Tokens {
  readonly #options: TokensOptions;
  readonly #channel: Channel;
  readonly #consumer: QueueConsumer;
  readonly #closed = new AbortController();
  readonly #held: ConsumeMessage[] = [];
  /** The broker takes no tokens from this channel any more, or gives it none. */
  #ended = false;
  #wake: () => void = () => undefined;

  private constructor(channel: Channel, options: TokensOptions) {
    this.#channel = channel;
    this.#options = options;
    this.#consumer = new QueueConsumer(channel, {
      answer: (answer) => this.#answer(answer),
      received: (token) => this.#received(token),
      ended: () => this.#end(),
    });
    channel.on('close', () => {
      this.#closed.abort(new UnavailableError('broker', 'the channel closed'));
      this.#end();
    });
  }

  /**
   * Opens a channel, and counts as a consumer of the limited queue until it is closed.
   *
   * @throws as `BrokerConnection.channel`, or the error of the broker if the limit is not there.
   */
  static async open(options: TokensOptions): Promise<Tokens> {
    const channel = await options.connection.channel();
    const tokens = new Tokens(channel, options);
    const consuming = plainConsume(channel)(
      options.queues.consumers,
      // An apply that makes the limit anew does not know of the tokens that are held here.
      (message) => message ?? tokens.#end(),
      { noAck: true },
    );
    await tokens.#answer(consuming);
    return tokens;
  }

  /** Tokens that it holds. */
  get held(): number {
    return this.#held.length;
  }

  /**
   * Waits for a token, and takes those that come with it.
   *
   * @param max number of tokens that it holds then, at most.
   * @returns none when the signal is aborted.
   * @throws UnavailableError if the channel has closed, or a queue of the limit was deleted.
   */
  async take(max: number, signal: AbortSignal): Promise<void> {
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake, { once: true });
    try {
      await this.#consumer.start(this.#options.queues.tokens, max);
      while (this.#held.length === 0 && !this.#ended && !signal.aborted) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      this.#expectOpen();
      await this.#consumer.cancel();
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  /** Returns the tokens beyond those that it keeps. */
  keep(count: number): void {
    for (const token of this.#held.splice(count)) this.#channel.nack(token, false, true);
  }

  /**
   * Uses tokens. Resolves when the broker has received that: they are used although this process may end at once.
   *
   * @throws UnavailableError as `take`.
   */
  async use(count: number): Promise<void> {
    this.#expectOpen();
    for (const token of this.#held.splice(0, count)) this.#channel.reject(token, false);
    // Any method with an answer shows it; this one changes nothing.
    await this.#answer(this.#channel.prefetch(1));
  }

  /** Closes the channel, which returns the tokens that it holds. */
  async close(): Promise<void> {
    // A channel that has closed has returned them.
    await this.#answer(this.#channel.close()).catch(() => undefined);
  }

  #received(token: ConsumeMessage): void {
    if (this.#options.seen.isDouble(token)) this.#channel.ack(token);
    else this.#held.push(token);
    this.#wake();
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
    this.#options.ended();
  }

  #expectOpen(): void {
    if (this.#ended) throw new UnavailableError('broker', 'the tokens of the limit are not available');
  }

  #answer<T>(answer: Promise<T>): Promise<T> {
    const { connection, answerMs } = this.#options;
    return answered(answer, {
      connection,
      channel: this.#channel,
      ms: answerMs,
      signal: this.#closed.signal,
    });
  }
}
