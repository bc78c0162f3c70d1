import type { ConsumeMessage } from 'amqplib';
import type { Deadlines, Limited } from '../base/deadlines.ts';
import { DeadlineError, ReplyTooLargeError } from '../base/errors.ts';
import { parseReply, type Reply, type ReplySession, type Waiting } from './reply-session.ts';

/** A reply that a caller waits for. */
export interface Expected {
  /** The correlation id. */
  id: string;
  /** Deadline, by `performance.now`. */
  until: number;
  /** Name of the other side, for the error at the deadline. */
  what: string;
  /** Limit in milliseconds, for the same error. */
  timeoutMs: number;
  /** Bytes of the reply, default 16 MiB. */
  maxBytes?: number | undefined;
}

/** What RabbitMQ 4 takes by default. */
const defaultMaxBytes = 16 * 1024 ** 2;

/**
 * The wait for a reply. A class, and with one timer for all of them, because a function for each event and a timer of its own take
 * longer than the rest of a call.
 */
export class OpenReply implements Limited, Waiting {
  /** Its deadline, or before that the time at which the broker is probed. */
  endsAt: number;
  // Fields of `Listed`, so that all of them have one hidden class.
  isListed = false;
  before: OpenReply | undefined = undefined;
  after: OpenReply | undefined = undefined;
  readonly #open: Deadlines<OpenReply>;
  readonly #session: ReplySession;
  readonly #expected: Expected;
  readonly #ask: (session: ReplySession) => Promise<void>;
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (error: Error) => void;

  /**
   * @param open all open waits of a reply queue.
   * @param answerMs milliseconds after which the broker is probed.
   * @param ask probes it.
   */
  constructor(
    open: Deadlines<OpenReply>,
    session: ReplySession,
    expected: Expected,
    answerMs: number,
    ask: (session: ReplySession) => Promise<void>,
    resolve: (reply: Reply) => void,
    reject: (error: Error) => void,
  ) {
    this.#open = open;
    this.#session = session;
    this.#expected = expected;
    this.#ask = ask;
    this.#resolve = resolve;
    this.#reject = reject;
    this.endsAt = Math.min(expected.until, performance.now() + answerMs);
    session.waiting.set(expected.id, this);
    open.add(this);
  }

  late(): void {
    const { what, until, timeoutMs } = this.#expected;
    if (this.endsAt >= until) {
      this.reject(new DeadlineError(`${what} did not answer within ${timeoutMs} ms`));
      return;
    }
    this.endsAt = until;
    this.#open.add(this);
    this.#ask(this.#session).catch((error: Error) => this.reject(error));
  }

  resolve(message: ConsumeMessage): void {
    const { what, maxBytes = defaultMaxBytes } = this.#expected;
    const { length } = message.content;
    if (length > maxBytes) {
      this.reject(new ReplyTooLargeError(what, length, maxBytes));
      return;
    }
    this.#end();
    this.#resolve(parseReply(message));
  }

  reject(error: Error): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.#open.delete(this);
    this.#session.waiting.delete(this.#expected.id);
  }
}
