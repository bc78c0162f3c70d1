import { withDeadline } from '../base/deadline.ts';
import { Deadlines } from '../base/deadlines.ts';
import { UnavailableError } from '../base/errors.ts';
import type { Server } from '../base/messaging.ts';
import { checkNumbers } from '../base/numbers.ts';
import { BrokerConnection, type ConnectionOptions } from './connection.ts';
import { Kept } from './kept.ts';
import { type Expected, OpenReply } from './open-reply.ts';
import { noAnswer } from './publish-errors.ts';
import { openReplySession, probe, type Reply, type ReplySession } from './reply-session.ts';

export interface ReplyQueueOptions extends ConnectionOptions {
  /** Limit for an answer of the broker itself in milliseconds, default 2200. */
  answerMs?: number;
  /** Milliseconds of silence after which a connection may be dead and is probed before its next use, default 5000. */
  silentMs?: number;
}

/**
 * A queue for replies on one connection, which opens at the first use. It is exclusive, so that no other client reads the
 * replies, and the broker deletes it with the connection. Requests are not confirmed, because a reply is their confirm: if
 * none arrives for a while, the broker is probed.
 */
export class ReplyQueue {
  readonly #connection: BrokerConnection;
  readonly #answerMs: number;
  readonly #silentMs: number;
  readonly #open = new Deadlines<OpenReply>();
  /** Either the other side is slow, which is legal, or the broker that would deliver the reply is gone. */
  readonly #ask = (session: ReplySession) => this.#inTime(session, probe(session));
  readonly #sessions = new Kept((ended) => openReplySession(this.#connection, ended));

  constructor({ answerMs = 2200, silentMs = 5000, ...connection }: ReplyQueueOptions) {
    checkNumbers({ answerMs, silentMs }, { answerMs: { least: 1 }, silentMs: { least: 0 } });
    this.#connection = new BrokerConnection({ connectTimeoutMs: answerMs, ...connection });
    this.#answerMs = answerMs;
    this.#silentMs = silentMs;
  }

  /**
   * Waits for a reply. The wait is registered before this method returns, so the caller may send the request after it.
   *
   * @throws DeadlineError if no reply arrived in time, UnavailableError if the connection was lost before, UnroutableError if
   *   the broker returned what was sent on the session's channel, ReplyTooLargeError if the reply is larger than `maxBytes`.
   */
  reply(session: ReplySession, expected: Expected): Promise<Reply> {
    return new Promise((resolve, reject) => {
      new OpenReply(this.#open, session, expected, this.#answerMs, this.#ask, resolve, reject);
    });
  }

  /** Closes the connection. Open waits fail with an UnavailableError. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** The address of the broker that is in use, or that the next connection tries first. */
  get address(): Server {
    return this.#connection.address;
  }

  /** The session, if the broker sent something on it a short time ago. */
  lately(): ReplySession | undefined {
    const { current } = this.#sessions;
    return current && Date.now() - current.heardAt < this.#silentMs ? current : undefined;
  }

  /**
   * A session that is alive: a new one, or one that has answered a probe.
   *
   * @param until deadline, by `performance.now`.
   * @throws UnavailableError if the broker is unavailable, WarrenError ERR_BROKER_REFUSED if it refuses our login.
   */
  async session(until: number): Promise<ReplySession> {
    const opening = this.#sessions.open();
    const session = await this.#opened(opening, until);
    if (session === this.lately()) return session;
    // A process that was frozen finds its connection dead at the first use.
    try {
      await this.#inTime(session, probe(session), until);
      return session;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      const another = this.#sessions.open();
      return this.#opened(another, until);
    }
  }

  /** Waits for a session to open, with one limit for each address. */
  #opened(opening: Promise<ReplySession>, until: number): Promise<ReplySession> {
    return this.#inTime(opening, opening, until, this.#answerMs * this.#connection.addresses);
  }

  /** Waits for an answer of the broker. If it is late, the session counts as lost with its connection. */
  #inTime<T>(
    session: ReplySession | Promise<ReplySession>,
    work: Promise<T>,
    until = Number.POSITIVE_INFINITY,
    limitMs = this.#answerMs,
  ): Promise<T> {
    const ms = Math.max(0, Math.min(limitMs, until - performance.now()));
    const late = () => {
      // The short limit of a single call proves nothing about the connection.
      if (ms === limitMs && this.#sessions.drop(session)) this.#connection.discard();
      return noAnswer(ms);
    };
    return withDeadline(work, { ms, late });
  }
}
