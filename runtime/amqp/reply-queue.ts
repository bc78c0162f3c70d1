import type { Channel, ConsumeMessage } from 'amqplib';
import { DeadlineError, UnavailableError, UnroutableError, WarrenError } from '../base/errors.ts';
import { BrokerConnection, type ConnectionOptions } from './connection.ts';
import { Kept } from './kept.ts';

export interface Reply {
  /** Parsed where the reply is JSON, text otherwise. */
  body: unknown;
  contentType?: string | undefined;
  /** `error` where the body is a problem (RFC 9457). */
  type?: string | undefined;
}

interface Waiting {
  resolve: (reply: Reply) => void;
  reject: (error: Error) => void;
}

export interface ReplySession {
  /** What is sent here and returned by the broker ends the wait for its reply. */
  channel: Channel;
  /** Of this connection alone, and gone with it. RabbitMQ's direct reply-to would do, and was a tenth slower. */
  queue: string;
  /** By correlation id. */
  waiting: Map<string, Waiting>;
  /** When the broker last said anything here, in milliseconds since 1970: the clock that goes on while we are frozen. */
  heardAt: number;
}

export interface ReplyQueueOptions extends ConnectionOptions {
  /** How long the broker itself may take to answer in milliseconds, default 2200. */
  answerMs?: number;
  /** A connection that was silent for so long, in milliseconds, may have died unnoticed and is tried first; default 5000. */
  silentMs?: number;
}

/** What is waited for. */
export interface Expected {
  /** The correlation id. */
  id: string;
  /** Until when, by `performance.now`. */
  until: number;
  /** For the error that says that it is late: who was to answer, and within how many milliseconds. */
  what: string;
  timeoutMs: number;
}

/**
 * A queue for replies, on one connection that opens at the first use: exclusive, so that nobody else reads them, and gone
 * with the connection, when nobody waits for them any more. Nothing is confirmed here, because replies are: where none comes
 * for a while the broker is asked whether it is still there.
 */
export class ReplyQueue {
  readonly #connection: BrokerConnection;
  readonly #answerMs: number;
  readonly #silentMs: number;
  readonly #sessions = new Kept((ended) => this.#openSession(ended));

  constructor({ answerMs = 2200, silentMs = 5000, ...connection }: ReplyQueueOptions) {
    this.#connection = new BrokerConnection({ connectTimeoutMs: answerMs, ...connection });
    this.#answerMs = answerMs;
    this.#silentMs = silentMs;
  }

  /**
   * Waits for a reply. It is waited for from this call on, before anything was awaited: what asks for the reply may be sent
   * after it.
   *
   * @throws DeadlineError when none came in time, UnavailableError when the connection was lost before, UnroutableError when
   *   what was sent on the session's channel was returned.
   */
  reply(session: ReplySession, { id, until, what, timeoutMs }: Expected): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const left = () => until - performance.now();
      const end = () => {
        clearTimeout(timer);
        session.waiting.delete(id);
      };
      const fail = (error: Error) => {
        end();
        reject(error);
      };
      const late = () => fail(new DeadlineError(`${what} did not answer within ${timeoutMs} ms`));
      const ask = () => {
        timer = setTimeout(late, left());
        // Either who answers is slow, which they may be, or nobody is there to hand a reply over.
        this.#inTime(session, answer(session)).catch(fail);
      };
      let timer =
        left() > this.#answerMs ? setTimeout(ask, this.#answerMs) : setTimeout(late, Math.max(0, left()));
      session.waiting.set(id, {
        reject: fail,
        resolve(reply) {
          end();
          resolve(reply);
        },
      });
    });
  }

  /** Closes the connection; whoever waits still gets an UnavailableError. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** The session, where the broker was heard on it just now. */
  lately(): ReplySession | undefined {
    const { current } = this.#sessions;
    return current && Date.now() - current.heardAt < this.#silentMs ? current : undefined;
  }

  /**
   * A session that is alive: new, or asked.
   *
   * @param until for how long to try, by `performance.now`.
   * @throws UnavailableError when the broker is away, WarrenError ERR_BROKER_REFUSED when it refuses our login.
   */
  async session(until: number): Promise<ReplySession> {
    const opening = this.#sessions.open();
    const session = await this.#inTime(opening, opening, until);
    if (session === this.lately()) return session;
    // A process that was frozen finds its connection dead at the first use.
    try {
      await this.#inTime(session, answer(session), until);
      return session;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      const another = this.#sessions.open();
      return this.#inTime(another, another, until);
    }
  }

  /** Waits for something of the broker's; what is late was lost with its connection, for all that can be told. */
  async #inTime<T>(
    session: ReplySession | Promise<ReplySession>,
    work: Promise<T>,
    until = Number.POSITIVE_INFINITY,
  ): Promise<T> {
    const ms = Math.max(0, Math.min(this.#answerMs, until - performance.now()));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // A call in a hurry says nothing about the connection.
        if (ms === this.#answerMs && this.#sessions.drop(session)) this.#connection.discard();
        reject(new UnavailableError('broker', `no answer from the broker within ${Math.round(ms)} ms`));
      }, ms);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #openSession(ended: () => void): Promise<ReplySession> {
    try {
      const channel = await this.#connection.channel();
      const waiting = new Map<string, Waiting>();
      channel.on('return', ({ fields, properties }) => {
        waiting
          .get(properties.correlationId)
          ?.reject(new UnroutableError(fields.exchange, fields.routingKey));
      });
      channel.on('close', () => {
        ended();
        for (const { reject } of [...waiting.values()]) {
          reject(new UnavailableError('broker', 'the connection closed before the reply'));
        }
      });
      const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
      const session: ReplySession = { channel, queue, waiting, heardAt: Date.now() };
      await channel.consume(queue, (message) => settle(session, message), { noAck: true });
      return session;
    } catch (error) {
      ended();
      // amqplib's errors say where it was cut off, in plain errors of several kinds.
      throw error instanceof WarrenError
        ? error
        : new UnavailableError('broker', 'the channel closed while it opened', { cause: error });
    }
  }
}

/** Resolves when the broker has answered on this channel, and so has seen all that was sent on it before. */
async function answer(session: ReplySession): Promise<void> {
  try {
    // Says what holds anyway: any method of AMQP that is answered and needs no right will do.
    await session.channel.prefetch(0);
  } catch (cause) {
    throw new UnavailableError('broker', 'the channel closed', { cause });
  }
  session.heardAt = Date.now();
}

function settle(session: ReplySession, message: ConsumeMessage | null): void {
  if (!message) {
    // The broker deleted the queue: no reply can come any more.
    session.channel.close().catch(() => undefined);
    return;
  }
  session.heardAt = Date.now();
  const { correlationId, contentType, type } = message.properties;
  // Nobody waits for it any more: its time limit has passed, and whoever waited was told.
  session.waiting
    .get(correlationId)
    ?.resolve({ body: parseBody(message.content, contentType), contentType, type });
}

function parseBody(content: Buffer, contentType: string | undefined): unknown {
  const text = content.toString();
  if (contentType !== undefined && !/[/+]json\b/i.test(contentType)) return text;
  try {
    return JSON.parse(text);
  } catch {
    // A server that labels nothing, or wrongly, still gets its answer through.
    return text;
  }
}
