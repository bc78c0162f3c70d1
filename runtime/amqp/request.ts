import { randomUUID } from 'node:crypto';
import type { ConnectionOptions } from './connection.ts';
import type { OutgoingMessage } from './outgoing.ts';
import { createPublisher, type Publisher } from './publisher.ts';
import { type Reply, ReplyQueue } from './reply-queue.ts';

/** What modules that publish and hope for an answer ask for. */
export interface AnsweredPublisherLike {
  publish(message: OutgoingMessage, options?: { waitMs?: number }): Promise<Reply | undefined>;
}

/**
 * Publishes work that is safe whether it is answered or not: with a confirm, persistent, and without an expiration, unlike a
 * call over RPC. Two connections: one publishes, the other has the queue for the answers.
 */
export class AnsweredPublisher implements AnsweredPublisherLike {
  readonly #publisher: Publisher;
  readonly #replies: ReplyQueue;

  constructor({ name, ...connection }: ConnectionOptions) {
    this.#publisher = createPublisher({ ...connection, name });
    this.#replies = new ReplyQueue({ ...connection, name: `${name} (replies)` });
  }

  /**
   * Publishes a message, and waits a moment for its answer.
   *
   * @param options `waitMs`: how long, in milliseconds, default 1000. With 0 no answer is asked for.
   * @returns the answer, undefined where none came in time: the message is safe with the broker.
   * @throws as `Publisher.publish`; UnavailableError also where no queue for the answer could be had.
   */
  async publish(
    message: OutgoingMessage,
    { waitMs = 1000 }: { waitMs?: number } = {},
  ): Promise<Reply | undefined> {
    if (waitMs === 0) {
      await this.#publisher.publish(message);
      return undefined;
    }
    const id = message.correlationId ?? randomUUID();
    // The queue is opened first, and a broker that is away is not given longer for it than for a publish.
    const session = this.#replies.lately() ?? (await this.#replies.session(performance.now() + openMs));
    const until = performance.now() + waitMs;
    const expected = { id, until, what: `"${message.routingKey}"`, timeoutMs: waitMs };
    // Late, or the connection that it would have come by was lost: no answer, and no fault.
    const answer = this.#replies.reply(session, expected).catch(() => undefined);
    const confirmed = this.#publisher.publish({ ...message, correlationId: id, replyTo: session.queue });
    // An answer says more than a confirm: who has worked on a message has got it.
    return Promise.race([
      answer.then(async (reply) => reply ?? confirmed.then(() => undefined)),
      confirmed.then(() => answer),
    ]);
  }

  /** Closes both connections; what was confirmed stays confirmed. */
  async close(): Promise<void> {
    await Promise.all([this.#publisher.close(), this.#replies.close()]);
  }
}

const openMs = 2200;

/** Makes a publisher that connects at its first message. */
export function createAnsweredPublisher(options: ConnectionOptions): AnsweredPublisher {
  return new AnsweredPublisher(options);
}
