import { randomUUID } from 'node:crypto';
import { type ConfirmChannel, IllegalOperationError } from 'amqplib';
import pLimit from 'p-limit';
import { UnavailableError, UnroutableError } from '../base/errors.ts';
import { traced } from '../base/trace.ts';
import { BrokerConnection, type ConnectionOptions } from './connection.ts';
import { Kept } from './kept.ts';
import { encode, type OutgoingMessage, properties, sending } from './outgoing.ts';

export interface PublisherOptions extends ConnectionOptions {
  /** How long one try may take in milliseconds, default 2200. */
  deadlineMs?: number;
  /**
   * Default 2, on two connections: what was not confirmed may still have arrived, so that a message may arrive twice.
   * With 1 it arrives once or not at all, as far as it is up to us.
   */
  tries?: 1 | 2;
}

/** What modules that publish ask for. */
export interface PublisherLike {
  publish(message: OutgoingMessage): Promise<{ messageId: string }>;
}

/** A message that is not confirmed yet. */
interface Pending {
  exchange: string;
  routingKey: string;
  messageId: string;
  /** When it is late, by `performance.now`. */
  until: number;
  returned: boolean;
  reject: (error: Error) => void;
}

/** A channel and what was published on it but not confirmed yet, in this order. */
interface Session {
  connection: BrokerConnection;
  channel: ConfirmChannel;
  pending: Set<Pending>;
  /** Runs while something is pending: one for all, because all have the same time. */
  timer: NodeJS.Timeout | undefined;
}

/**
 * The broker closed the channel, or its connection, over one of the messages on it, and does not say which. Where a second try
 * was to be made, it was this message: it had a connection of its own then.
 */
export class PublishRefusedError extends UnavailableError {
  override readonly code = 'ERR_PUBLISH_REFUSED';
  /** The broker's reason (AMQP 0-9-1, 1.1). */
  readonly replyCode: number | undefined;

  constructor(cause: Error & { code?: unknown }) {
    super('broker', `the broker refused what was published: ${cause.message}`, { cause });
    this.replyCode = typeof cause.code === 'number' ? cause.code : undefined;
  }
}

/**
 * Publishes with confirms (RabbitMQ's extension of AMQP 0-9-1) on a connection of its own, opened at first use: a
 * broker that blocks publishers must not hold back anyone's acknowledgements.
 */
export class Publisher implements PublisherLike {
  readonly #options: ConnectionOptions;
  readonly #connection: BrokerConnection;
  readonly #deadlineMs: number;
  readonly #tries: 1 | 2;
  readonly #sessions = new Kept((ended) => this.#openSession(this.#connection, ended));
  /** For what may have ended the connection of others: one message at a time. */
  readonly #oneAlone = pLimit(1);
  #alone: { connection: BrokerConnection; sessions: Kept<Session> } | undefined;

  constructor({ deadlineMs = 2200, tries = 2, ...connection }: PublisherOptions) {
    this.#deadlineMs = deadlineMs;
    this.#tries = tries;
    this.#options = { connectTimeoutMs: deadlineMs, ...connection };
    this.#connection = new BrokerConnection(this.#options);
  }

  /**
   * Publishes one message and resolves when the broker has taken responsibility for it. A try that isn't confirmed in
   * time is made once more on a new connection with the same message id: a function that was frozen between two calls
   * finds its connection dead.
   *
   * @throws UnroutableError when a mandatory message reached no queue, UnavailableError when it was not confirmed (of which
   *   PublishRefusedError where the broker closed the channel or the connection over it),
   *   WarrenError ERR_BROKER_REFUSED when the broker refuses our login.
   */
  async publish(message: OutgoingMessage): Promise<{ messageId: string }> {
    const messageId = message.messageId ?? randomUUID();
    await traced(
      () => sending(message, messageId),
      () => this.#publish(message, messageId),
    );
    return { messageId };
  }

  async #publish(message: OutgoingMessage, messageId: string): Promise<void> {
    try {
      await this.#send(this.#sessions.current ?? (await this.#session()), message, messageId);
    } catch (error) {
      if (!(error instanceof UnavailableError) || this.#tries === 1) throw error;
      // A missing exchange, say: alone on a connection the guilty message takes no other along again.
      if (error instanceof PublishRefusedError) await this.#publishAlone(message, messageId);
      else await this.#send(await this.#session(), message, messageId);
    }
  }

  /** Resolves when a channel to the broker is open and not blocked; for health checks. Throws as `publish` does. */
  async ready(): Promise<void> {
    await this.#session();
    if (this.#connection.blocked) throw new UnavailableError('broker', 'the broker blocks publishers');
  }

  /** Closes the connection; what was confirmed stays confirmed. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** All that was pending beside a guilty message comes here: a connection for each would be a storm of them. */
  async #publishAlone(message: OutgoingMessage, messageId: string): Promise<void> {
    const until = performance.now() + this.#deadlineMs;
    await this.#oneAlone(async () => {
      if (performance.now() > until) throw this.#lateError();
      const { sessions } = this.#openAlone();
      try {
        await this.#send(await this.#inTime(sessions.open()), message, messageId);
      } finally {
        if (this.#oneAlone.pendingCount === 0) this.#closeAlone();
      }
    });
  }

  #openAlone() {
    if (this.#alone) return this.#alone;
    const connection = new BrokerConnection(this.#options);
    const sessions = new Kept<Session>((ended) => this.#openSession(connection, ended));
    this.#alone = { connection, sessions };
    return this.#alone;
  }

  #closeAlone(): void {
    void this.#alone?.connection.close();
    this.#alone = undefined;
  }

  #send(session: Session, message: OutgoingMessage, messageId: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const { exchange, routingKey } = message;
      const { channel, pending } = session;
      const until = performance.now() + this.#deadlineMs;
      const entry: Pending = { exchange, routingKey, messageId, until, returned: false, reject };
      const settle = (refused: unknown) => {
        pending.delete(entry);
        // A nack: what ends with its channel was rejected before amqplib says so here.
        if (refused)
          reject(new UnavailableError('broker', 'the broker refused the message', { cause: refused }));
        else if (entry.returned) reject(new UnroutableError(exchange, routingKey));
        else resolve();
      };
      try {
        channel.publish(exchange, routingKey, encode(message), properties(message, messageId), settle);
      } catch (cause) {
        const closed = cause instanceof IllegalOperationError;
        reject(
          closed ? new UnavailableError('broker', 'the channel is closed', { cause }) : (cause as Error),
        );
        return;
      }
      pending.add(entry);
      session.timer ??= setTimeout(() => this.#expire(session), this.#deadlineMs);
    });
  }

  /** Looks whether the message that waits longest is late, and when to look next. */
  #expire(session: Session): void {
    session.timer = undefined;
    for (const entry of session.pending) {
      const left = entry.until - performance.now();
      if (left > 0) {
        session.timer = setTimeout(() => this.#expire(session), left);
        return;
      }
      session.pending.delete(entry);
      this.#giveUp(session);
      entry.reject(this.#lateError());
    }
  }

  async #session(): Promise<Session> {
    return this.#inTime(this.#sessions.open());
  }

  async #inTime(opening: Promise<Session>): Promise<Session> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#giveUp(opening);
        reject(this.#lateError());
      }, this.#deadlineMs);
    });
    try {
      return await Promise.race([opening, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #lateError(): UnavailableError {
    return new UnavailableError('broker', `no answer from the broker within ${this.#deadlineMs} ms`);
  }

  /** What is late was lost with its connection, for all that can be told: the next try gets a new one. */
  #giveUp(late: Session | Promise<Session>): void {
    if (this.#sessions.drop(late)) this.#connection.discard();
    // A connection that is not kept: closing it is the way to let go of it.
    else if (this.#alone?.sessions.drop(late)) this.#closeAlone();
  }

  async #openSession(connection: BrokerConnection, ended: () => void): Promise<Session> {
    try {
      const channel = await connection.confirmChannel();
      const session: Session = { connection, channel, pending: new Set(), timer: undefined };
      // The broker returns a message before it confirms it, so the mark is there when the confirm comes. amqplib doesn't
      // say which publish it was; these three together do.
      channel.on('return', ({ fields, properties: { messageId } }) => {
        for (const entry of session.pending) {
          const same = entry.messageId === messageId && entry.routingKey === fields.routingKey;
          if (!same || entry.exchange !== fields.exchange || entry.returned) continue;
          entry.returned = true;
          // Returns come in the order of the publishes, so that this is found at once, however many wait.
          return;
        }
      });
      const end = (error: Error) => {
        ended();
        clearTimeout(session.timer);
        for (const entry of session.pending) entry.reject(error);
        session.pending.clear();
      };
      // Comes before 'close', which is all that comes where the connection ends.
      channel.on('error', (cause: Error) => end(new PublishRefusedError(cause)));
      // Before amqplib's own listener, which settles what was not confirmed as it does what was refused.
      channel.prependListener('close', () => end(lossOn(connection)));
      return session;
    } catch (error) {
      ended();
      throw error;
    }
  }
}

/** Why a message was not confirmed: where the connection ended over something that was published, that comes first. */
function lossOn({ refusal }: BrokerConnection): UnavailableError {
  if (refusal) return new PublishRefusedError(refusal);
  return new UnavailableError('broker', 'the channel closed before the confirm');
}

/** Makes a publisher that connects at its first message. */
export function createPublisher(options: PublisherOptions): Publisher {
  return new Publisher(options);
}
