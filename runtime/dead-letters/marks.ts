import { copyMark } from '../amqp/copy-mark.ts';
import { endedByHeader, endedToHeader } from '../amqp/headers.ts';
import { Publisher } from '../amqp/publisher.ts';
import { UnavailableError, UnroutableError } from '../base/errors.ts';
import { deadLetterMarks } from '../topology/names.ts';
import { type OffsetRange, Offsets } from './offsets.ts';
import type { Ended } from './read-marks.ts';

/** Maximum age of a mark that is not published yet, in milliseconds. */
const maxMarkMs = 250;

/**
 * Publishes marks for entries whose dead letters are gone, several in one message. A lost mark does no harm: the entry is marked
 * when a replay or a drop does not find its dead letter.
 */
export class Marks {
  readonly #publisher: Publisher;
  readonly #publishing = new Set<Promise<void>>();
  /** Undefined is the key of those whose ending is unknown. */
  readonly #marked = new Map<Ended | undefined, Offsets>();
  #timer: NodeJS.Timeout | undefined;

  constructor(url: string) {
    this.#publisher = new Publisher({ url, name: 'warren dead-letters marks', tries: 1 });
  }

  /** @param ended undefined if it is unknown. The same object has its marks in one message. */
  add(first: number, last: number, ended: Ended | undefined): void {
    const marked = this.#marked.get(ended) ?? new Offsets();
    marked.add(first, last);
    this.#marked.set(ended, marked);
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
    for (const [ended, offsets] of this.#marked) this.#publishOne(offsets.ranges(), ended);
    this.#marked.clear();
  }

  #publishOne(body: readonly OffsetRange[], ended: Ended | undefined): void {
    const publishing = this.#publisher
      .publish({
        exchange: '',
        routingKey: deadLetterMarks,
        body,
        type: ended?.ending,
        // They are ours, not those of a function's message.
        [copyMark]: true,
        headers: { [endedToHeader]: ended?.to, [endedByHeader]: ended?.by },
      })
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
