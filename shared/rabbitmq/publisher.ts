import { randomUUID } from 'node:crypto';
import { type ConfirmChannel, IllegalOperationError, type Options } from 'amqplib';
import { UnavailableError, UnroutableError } from '../errors.ts';
import { BrokerConnection, type ConnectionOptions } from './connection.ts';

/** A message to publish; everything but exchange, routing key and body is optional. */
export interface OutgoingMessage {
  exchange: string;
  routingKey: string;
  /** A Buffer goes out as it is; anything else as JSON. */
  body: unknown;
  /** Default: `application/json`, or nothing where the body is a Buffer. */
  contentType?: string | undefined;
  contentEncoding?: string | undefined;
  /** Default: a random UUID (RFC 9562), so that whoever receives it can tell a copy. */
  messageId?: string | undefined;
  correlationId?: string | undefined;
  replyTo?: string | undefined;
  type?: string | undefined;
  appId?: string | undefined;
  priority?: number | undefined;
  /** Milliseconds. */
  expiration?: number | undefined;
  /** Seconds since 1970; default now. */
  timestamp?: number | undefined;
  headers?: Record<string, unknown> | undefined;
  /** Survives a restart of the broker, default true. */
  persistent?: boolean | undefined;
  /** A message that reaches no queue is an error, default true. */
  mandatory?: boolean | undefined;
}

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

interface Pending {
  returned: boolean;
  reject: (error: Error) => void;
}

/** A channel and what was published on it but not confirmed yet. */
interface Session {
  channel: ConfirmChannel;
  pending: Map<string, Set<Pending>>;
}

/** The broker closed the channel over one of the messages on it, and does not say which. */
class ChannelRefusedError extends UnavailableError {
  constructor(cause: Error) {
    super('broker', `the broker closed the channel: ${cause.message}`, { cause });
  }
}

/**
 * Publishes with confirms (RabbitMQ's extension of AMQP 0-9-1) on a connection of its own, opened at first use: a
 * broker that blocks publishers must not hold back anyone's acknowledgements.
 */
export class Publisher implements PublisherLike {
  readonly #connection: BrokerConnection;
  readonly #deadlineMs: number;
  readonly #tries: 1 | 2;
  #session: Promise<Session> | undefined;

  constructor({ deadlineMs = 2200, tries = 2, ...connection }: PublisherOptions) {
    this.#deadlineMs = deadlineMs;
    this.#tries = tries;
    this.#connection = new BrokerConnection({ connectTimeoutMs: deadlineMs, ...connection });
  }

  /**
   * Publishes one message and resolves when the broker has taken responsibility for it. A try that isn't confirmed in
   * time is made once more on a new connection with the same message id: a function that was frozen between two calls
   * finds its connection dead.
   *
   * @throws UnroutableError when a mandatory message reached no queue, UnavailableError when it was not confirmed,
   *   WarrenError ERR_BROKER_REFUSED when the broker refuses our login.
   */
  async publish(message: OutgoingMessage): Promise<{ messageId: string }> {
    const messageId = message.messageId ?? randomUUID();
    const outgoing = { ...message, messageId };
    try {
      await this.#publishOnce(outgoing);
    } catch (error) {
      if (!(error instanceof UnavailableError) || this.#tries === 1) throw error;
      // A missing exchange, say: on a channel of its own the guilty message takes no other along again.
      if (error instanceof ChannelRefusedError) await this.#publishAlone(outgoing);
      else await this.#publishOnce(outgoing);
    }
    return { messageId };
  }

  /** Resolves when a channel to the broker is open and not blocked; for health checks. Throws as `publish` does. */
  async ready(): Promise<void> {
    const session = this.#open();
    await this.#within(session, session);
    if (this.#connection.blocked) throw new UnavailableError('broker', 'the broker blocks publishers');
  }

  /** Closes the connection; what was confirmed stays confirmed. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #publishOnce(message: OutgoingMessage & { messageId: string }): Promise<void> {
    const session = this.#open();
    await this.#within(
      session,
      session.then((opened) => send(opened, message)),
    );
  }

  async #publishAlone(message: OutgoingMessage & { messageId: string }): Promise<void> {
    const session = this.#openSession(() => undefined);
    try {
      await this.#within(
        session,
        session.then((opened) => send(opened, message)),
      );
    } finally {
      session.then(({ channel }) => channel.close()).catch(() => undefined);
    }
  }

  /** What is late was lost with its connection, for all that can be told: the next try gets a new one. */
  async #within<T>(session: Promise<Session>, work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        if (this.#session === session) {
          this.#session = undefined;
          this.#connection.discard();
        }
        reject(new UnavailableError('broker', `no answer from the broker within ${this.#deadlineMs} ms`));
      }, this.#deadlineMs);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #open(): Promise<Session> {
    if (this.#session) return this.#session;
    const opening = this.#openSession(() => {
      if (this.#session === opening) this.#session = undefined;
    });
    this.#session = opening;
    return opening;
  }

  async #openSession(ended: () => void): Promise<Session> {
    try {
      const channel = await this.#connection.confirmChannel();
      const session: Session = { channel, pending: new Map() };
      // The broker returns a message before it confirms it, so the mark is there when the confirm comes.
      channel.on('return', ({ fields, properties }) => {
        for (const entry of session.pending.get(keyOf(fields, properties)) ?? []) entry.returned = true;
      });
      const end = (error: Error) => {
        ended();
        for (const entries of session.pending.values()) for (const entry of entries) entry.reject(error);
      };
      // Comes before 'close', which is all that comes where the connection is lost.
      channel.on('error', (cause: Error) => end(new ChannelRefusedError(cause)));
      channel.on('close', () => end(new UnavailableError('broker', 'the channel closed before the confirm')));
      return session;
    } catch (error) {
      ended();
      throw error;
    }
  }
}

/** Makes a publisher that connects at its first message. */
export function createPublisher(options: PublisherOptions): Publisher {
  return new Publisher(options);
}

function send(
  { channel, pending }: Session,
  message: OutgoingMessage & { messageId: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const key = keyOf(message, message);
    const entries = pending.get(key) ?? new Set();
    const entry: Pending = { returned: false, reject };
    const settle = (error?: Error) => {
      entries.delete(entry);
      if (entries.size === 0) pending.delete(key);
      if (error) reject(error);
      else resolve();
    };
    pending.set(key, entries.add(entry));
    try {
      channel.publish(
        message.exchange,
        message.routingKey,
        encode(message),
        properties(message),
        (refused: unknown) => {
          if (refused)
            settle(new UnavailableError('broker', 'the broker refused the message', { cause: refused }));
          else settle(entry.returned ? new UnroutableError(message.exchange, message.routingKey) : undefined);
        },
      );
    } catch (cause) {
      const closed = cause instanceof IllegalOperationError;
      settle(closed ? new UnavailableError('broker', 'the channel is closed', { cause }) : (cause as Error));
    }
  });
}

/** amqplib doesn't say which publish a returned message was; these three together do. */
function keyOf(fields: { exchange: string; routingKey: string }, properties: { messageId: string }): string {
  return `${fields.exchange}\n${fields.routingKey}\n${properties.messageId}`;
}

function encode({ body }: OutgoingMessage): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body ?? null));
}

function properties(message: OutgoingMessage): Options.Publish {
  const given: Options.Publish = {
    contentType: message.contentType ?? (Buffer.isBuffer(message.body) ? undefined : 'application/json'),
    contentEncoding: message.contentEncoding,
    messageId: message.messageId,
    correlationId: message.correlationId,
    replyTo: message.replyTo,
    type: message.type,
    appId: message.appId,
    priority: message.priority,
    expiration: message.expiration,
    timestamp: message.timestamp ?? Math.floor(Date.now() / 1000),
    persistent: message.persistent ?? true,
    mandatory: message.mandatory ?? true,
    // AWS's event tells a function neither exchange nor routing key; a header is the way to let it know.
    headers: { 'x-routing-key': message.routingKey, ...message.headers },
  } as Options.Publish;
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
