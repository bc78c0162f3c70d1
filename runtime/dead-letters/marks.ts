import type { Message } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { Publisher } from '../amqp/publisher.ts';
import { UnavailableError, UnroutableError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { deadLetterMarks } from '../topology/names.ts';
import { type OffsetRange, Offsets } from './offsets.ts';
import { readStream } from './read-stream.ts';

/** Maximum age of a mark that is not published yet, in milliseconds. */
const maxMarkMs = 250;

/** Reads the offsets of the entries whose dead letters are gone. */
export async function readMarks(connection: BrokerConnection): Promise<Offsets> {
  const gone = new Offsets();
  for await (const { message } of readStream(connection, deadLetterMarks)) {
    for (const [first, last] of rangesOf(message)) gone.add(first, last);
  }
  return gone;
}

/** Returns the offsets in a message of the stream of marks. */
export function rangesOf({ content }: Message): OffsetRange[] {
  return parseJson(content.toString()) as OffsetRange[];
}

/**
 * Publishes marks for entries whose dead letters are gone, several in one message. A lost mark does no harm: the entry is marked
 * when a replay or a drop does not find its dead letter.
 */
export class Marks {
  readonly #publisher: Publisher;
  readonly #publishing = new Set<Promise<void>>();
  #marked = new Offsets();
  #timer: NodeJS.Timeout | undefined;

  constructor(url: string) {
    this.#publisher = new Publisher({ url, name: 'warren dead-letters marks', tries: 1 });
  }

  add(first: number, last = first): void {
    this.#marked.add(first, last);
    this.#timer ??= setTimeout(() => this.#publish(), maxMarkMs);
  }

  /** Publishes the rest and closes the connection. */
  async close(): Promise<void> {
    this.#publish();
    await Promise.all(this.#publishing);
    await this.#publisher.close();
  }

  #publish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const body = this.#marked.ranges();
    this.#marked = new Offsets();
    if (body.length === 0) return;
    const publishing = this.#publisher
      .publish({ exchange: '', routingKey: deadLetterMarks, body })
      .then(() => undefined)
      .catch((error: unknown) => {
        // Without an index there is nothing to mark; an unavailable broker ends the replay or drop itself.
        if (!(error instanceof UnroutableError) && !(error instanceof UnavailableError)) throw error;
      })
      .finally(() => this.#publishing.delete(publishing));
    publishing.catch(() => undefined);
    this.#publishing.add(publishing);
  }
}
