import { randomUUID } from 'node:crypto';
import { checkNumbers, leftOf } from '../base/numbers.ts';
import type { ConnectionOptions } from './connection.ts';
import type { OutgoingMessage } from './outgoing.ts';
import { Publisher } from './publisher.ts';
import { ReplyQueue } from './reply-queue.ts';
import type { Reply } from './reply-session.ts';

/** The part of a requester that other modules need. */
export interface RequesterLike {
  publish(message: OutgoingMessage, options?: { waitMs?: number }): Promise<Reply | undefined>;
}

/** Limit for the reply queue in milliseconds: the same as for a publish. */
const openMs = 2200;

/**
 * Publishes work that is safe with or without an answer: with a confirm, persistent, and without an expiration, unlike a call
 * over RPC. It has two connections: one publishes, the other has the queue for the answers.
 */
export class Requester implements RequesterLike {
  readonly #publisher: Publisher;
  readonly #replies: ReplyQueue;

  constructor({ name, ...connection }: ConnectionOptions) {
    this.#publisher = new Publisher({ ...connection, name });
    this.#replies = new ReplyQueue({ ...connection, name: `${name} (replies)` });
  }

  /**
   * Publishes a message and waits a moment for its answer.
   *
   * @param options `waitMs`: limit for the answer in milliseconds, default 1000. With 0 it requests no answer.
   * @returns the answer; undefined if none arrived in time, but the message is safe with the broker.
   * @throws as `Publisher.publish`; UnavailableError also if the queue for the answer cannot be opened; ERR_CONFIG
   *   also if `waitMs` is wrong.
   */
  async publish(
    message: OutgoingMessage,
    { waitMs: given = 1000 }: { waitMs?: number } = {},
  ): Promise<Reply | undefined> {
    const waitMs = leftOf(given);
    checkNumbers({ waitMs }, { waitMs: { least: 0 } });
    if (waitMs === 0) {
      await this.#publisher.publish(message);
      return undefined;
    }
    const id = message.correlationId ?? randomUUID();
    const session = this.#replies.lately() ?? (await this.#replies.session(performance.now() + openMs));
    const until = performance.now() + waitMs;
    const expected = { id, until, what: `"${message.routingKey}"`, timeoutMs: waitMs };
    // A late answer or a lost connection for it means no answer, which is no error.
    const answer = this.#replies.reply(session, expected).catch(() => undefined);
    const confirmed = this.#publisher.publish({ ...message, correlationId: id, replyTo: session.queue });
    // An answer proves more than a confirm: a consumer received the message.
    return Promise.race([
      answer.then(async (reply) => reply ?? confirmed.then(() => undefined)),
      confirmed.then(() => answer),
    ]);
  }

  /** Closes both connections; confirmed messages stay confirmed. */
  async close(): Promise<void> {
    await Promise.all([this.#publisher.close(), this.#replies.close()]);
  }
}
