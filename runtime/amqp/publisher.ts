import { randomUUID } from 'node:crypto';
import pLimit from 'p-limit';
import { withDeadline } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';
import { checkNumbers } from '../base/numbers.ts';
import { Addresses } from './addresses.ts';
import { ConfirmChannel } from './confirm-channel.ts';
import { BrokerConnection, type ConnectionOptions } from './connection.ts';
import { identified, timed } from './delay.ts';
import { Kept } from './kept.ts';
import { loginOf, type WithLogin } from './login.ts';
import { observedPublish } from './observed-publish.ts';
import { encode, type OutgoingMessage } from './outgoing.ts';
import { isPublishRefused, isRepeatable, noAnswer } from './publish-errors.ts';
import { withoutWay } from './way-headers.ts';
import { unconfirmed, Window } from './window.ts';

export interface PublisherOptions extends ConnectionOptions {
  /** Limit for one try in milliseconds, default 2200. It starts when the message is written. */
  deadlineMs?: number;
  /**
   * Default 2, on two connections. A message that was not confirmed may still have arrived, so a second try may deliver it
   * twice. With 1 the publisher sends a message at most once.
   */
  tries?: 1 | 2;
}

/** The part of a publisher that other modules need. */
export interface PublisherLike {
  publish(message: OutgoingMessage): Promise<{ messageId: string }>;
  /**
   * The publisher for a vhost of the same broker: a copy, a reply or a further message of a function stays in the vhost of its
   * message. Without this method, everything goes to the vhost of `publish`.
   */
  inVhost?(vhost: string): PublisherLike;
}

/**
 * Publishes with confirms (RabbitMQ's extension of AMQP 0-9-1) on a connection of its own, which opens at the first message:
 * a broker that blocks publishers must not delay acknowledgements.
 */
export class Publisher implements PublisherLike, WithLogin {
  readonly #options: PublisherOptions;
  /** Publishers for other vhosts, each with a connection of its own. */
  readonly #others = new Map<string, Publisher>();
  #vhosts: readonly string[] | undefined;
  readonly #connection: BrokerConnection;
  readonly #deadlineMs: number;
  readonly #tries: 1 | 2;
  readonly #channels = new Kept((ended) => this.#openChannel(this.#connection, ended));
  readonly #window = new Window(unconfirmed);
  /** Allows one message at a time, for messages that may have ended the shared connection. */
  readonly #oneAlone = pLimit(1);
  /** For our hosts, which compare it with their own. */
  readonly [loginOf] = () => this.#connection[loginOf]();
  #alone: { connection: BrokerConnection; channels: Kept<ConfirmChannel> } | undefined;

  /** @throws WarrenError ERR_CONFIG if a URL or a number is wrong. */
  constructor(options: PublisherOptions) {
    checkNumbers(options, { deadlineMs: { least: 1 }, tries: { least: 1, whole: true } });
    this.#deadlineMs = options.deadlineMs ?? 2200;
    this.#tries = options.tries ?? 2;
    this.#options = { connectTimeoutMs: this.#deadlineMs, ...options };
    this.#connection = new BrokerConnection(this.#options);
  }

  /**
   * Publishes one message and resolves when the broker has taken responsibility for it. A try that is not confirmed in time
   * is repeated once, on a new connection and with the same message id: a function that was frozen between two calls finds its
   * connection dead. At most 1,000 messages and 16 MB are unconfirmed at a time; further ones wait their turn, without a
   * deadline. A message with `patienceMs` or a delay is not repeated while the broker answers: a second one would be a second message.
   *
   * @throws UnroutableError if a mandatory message reached no queue; UnavailableError if it was not confirmed, or its subclass
   *   PublishRefusedError if the broker closed the channel or the connection because of it; WarrenError ERR_BROKER_REFUSED if
   *   the broker refuses our login, ERR_CONFIG for a wrong delay or expiration.
   */
  async publish(given: OutgoingMessage): Promise<{ messageId: string }> {
    const message = identified(withoutWay(timed(given)));
    const messageId = message.messageId ?? randomUUID();
    await observedPublish(message, messageId, this.#connection.address, () =>
      this.#inTurn(message, messageId),
    );
    return { messageId };
  }

  async #inTurn(message: OutgoingMessage, messageId: string): Promise<void> {
    const content = encode(message);
    const turn = this.#window.enter(content.length);
    if (turn) await turn;
    try {
      await (this.#channels.current ?? (await this.#channel())).publish(message, content, messageId);
    } catch (error) {
      if (!isRepeatable(error) || this.#tries === 1) throw error;
      // For example a missing exchange: alone on a connection, the guilty message fails no other message again.
      if (isPublishRefused(error)) await this.#publishAlone(message, content, messageId);
      else await (await this.#channel()).publish(message, content, messageId);
    } finally {
      this.#window.leave(content.length);
    }
  }

  /**
   * The publisher for another vhost of the same broker; this one for its own vhost. The broker refuses a vhost to which the
   * login has no right: `publish` then throws WarrenError ERR_BROKER_REFUSED, which names the vhost.
   */
  inVhost(vhost: string): Publisher {
    // Each reply of a call asks for this, so the URLs are parsed once.
    this.#vhosts ??= new Addresses(this.#options).all.map((address) => address.vhost);
    if (this.#vhosts.every((own) => own === vhost)) return this;
    const other = this.#others.get(vhost) ?? new Publisher({ ...this.#options, vhost });
    this.#others.set(vhost, other);
    return other;
  }

  /** Resolves when a channel to the broker is open and not blocked, for health checks. Throws as `publish` does. */
  async ready(): Promise<void> {
    await this.#channel();
    if (this.#connection.blocked) throw new UnavailableError('broker', 'the broker blocks publishers');
  }

  /** Closes the connections, also those to other vhosts; confirmed messages stay confirmed. */
  async close(): Promise<void> {
    await Promise.all([this.#connection, ...this.#others.values()].map((each) => each.close()));
  }

  /** All messages that were pending beside a guilty one come here. A connection for each would be a storm of connections. */
  async #publishAlone(message: OutgoingMessage, content: Buffer, messageId: string): Promise<void> {
    const until = performance.now() + this.#deadlineMs;
    await this.#oneAlone(async () => {
      if (performance.now() > until) throw noAnswer(this.#deadlineMs);
      const { channels } = this.#openAlone();
      try {
        await (await this.#inTime(channels.open())).publish(message, content, messageId);
      } finally {
        if (this.#oneAlone.pendingCount === 0) this.#closeAlone();
      }
    });
  }

  #openAlone() {
    if (this.#alone) return this.#alone;
    const connection = new BrokerConnection(this.#options);
    const channels = new Kept<ConfirmChannel>((ended) => this.#openChannel(connection, ended));
    this.#alone = { connection, channels };
    return this.#alone;
  }

  #closeAlone(): void {
    void this.#alone?.connection.close();
    this.#alone = undefined;
  }

  #channel(): Promise<ConfirmChannel> {
    return this.#inTime(this.#channels.open());
  }

  #inTime(opening: Promise<ConfirmChannel>): Promise<ConfirmChannel> {
    // Each address may take one connect timeout.
    const ms = this.#deadlineMs * this.#connection.addresses;
    const late = () => {
      this.#discard(opening);
      return noAnswer(ms);
    };
    return withDeadline(opening, { ms, late });
  }

  /** Treats a late channel as lost with its connection. The next try gets a new one. */
  #discard(late: ConfirmChannel | Promise<ConfirmChannel>): void {
    if (this.#channels.drop(late)) this.#connection.discard();
    // The connection for single messages is closed instead, because the next of them opens another.
    else if (this.#alone?.channels.drop(late)) this.#closeAlone();
  }

  #openChannel(connection: BrokerConnection, ended: () => void): Promise<ConfirmChannel> {
    const late = (channel: ConfirmChannel) => this.#discard(channel);
    const full = (isFull: boolean) => (isFull ? this.#window.hold() : this.#window.release());
    return ConfirmChannel.open(connection, { deadlineMs: this.#deadlineMs, ended, full, late });
  }
}
