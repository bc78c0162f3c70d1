import type { Message } from 'amqplib';
import pLimit from 'p-limit';
import type { BrokerConnection } from '../amqp/connection.ts';
import { Publisher } from '../amqp/publisher.ts';
import { WarrenError } from '../base/errors.ts';
import type { DeadLetter } from './dead-letter.ts';
import { fullEntry, shortEntry } from './index-entry.ts';
import { LogTail } from './log-tail.ts';
import { isMessageRefused } from './message-refused.ts';
import { answerMs } from './stream.ts';

/** Limit for a connection in milliseconds. */
const connectTimeoutMs = 4000;

/**
 * Publishes entries of the index. A second try of an entry whose confirm is late would be a second entry, so there is none: the
 * writer waits, and if the broker does not answer, the next command looks for the entries.
 */
export class EntryWriter {
  readonly #options: { url: string; name: string };
  readonly #publisher: Publisher;
  readonly #oneAlone = pLimit(1);
  /** The end of the index, in which a copy that may have an entry already finds it. */
  readonly tail: LogTail;

  /**
   * @param url AMQP URL of the broker.
   * @param connection to read the end of the index.
   */
  constructor(url: string, name: string, connection: BrokerConnection) {
    this.#options = { url, name };
    this.#publisher = this.#open();
    this.tail = new LogTail(connection);
  }

  /**
   * Publishes the entry of a dead letter. If the entry cannot have all headers, such as more than 64 KiB of them, it has ours only.
   *
   * @throws Error if even such an entry cannot be encoded; as `Publisher.publish`.
   */
  async add(message: Message, letter?: DeadLetter): Promise<void> {
    try {
      await this.#publisher.publish(fullEntry(message, letter));
    } catch (error) {
      // One message was refused, which ended the channel. Others on it may have been written.
      if (isMessageRefused(error)) await this.#addAgain(message, letter);
      else if (error instanceof WarrenError) throw error;
      // An error of amqplib is about the message.
      else await this.#publisher.publish(shortEntry(message, letter));
    }
  }

  /** Waits for nothing: the entries in flight are not confirmed then. */
  async close(): Promise<void> {
    await this.#publisher.close();
  }

  async #addAgain(message: Message, letter?: DeadLetter): Promise<void> {
    if (await this.tail.take(message)) return;
    await this.#oneAlone(() => this.#addAlone(message, letter));
  }

  async #addAlone(message: Message, letter?: DeadLetter): Promise<void> {
    const publisher = this.#open();
    try {
      await publisher.publish(fullEntry(message, letter)).catch((error: unknown) => {
        if (!isMessageRefused(error)) throw error;
        return publisher.publish(shortEntry(message, letter));
      });
    } finally {
      await publisher.close();
    }
  }

  #open(): Publisher {
    return new Publisher({ ...this.#options, tries: 1, deadlineMs: answerMs, connectTimeoutMs });
  }
}
