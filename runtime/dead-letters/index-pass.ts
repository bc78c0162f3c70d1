import type { Message } from 'amqplib';
import { toDeadLetter } from './dead-letter.ts';
import { NoDeadLetterIndexError, readEntries } from './entries.ts';
import { type DeadLetterFilter, matcher } from './filter.ts';
import { fingerprintOf } from './fingerprint.ts';
import { Marks } from './marks.ts';
import type { Ended } from './read-marks.ts';

interface PassOptions {
  filter: DeadLetterFilter;
  only?: ReadonlySet<number> | undefined;
  /** What is done with the dead letters that leave their queue. */
  ended?: Ended | undefined;
}

/**
 * The index during a pass over the queue of the dead letters. It finds the entry of each dead letter and marks it when the dead
 * letter is gone. Without an index it does nothing.
 */
export class IndexPass {
  readonly #url: string;
  readonly #filter: DeadLetterFilter;
  readonly #marks: Marks;
  readonly #ended: Ended | undefined;
  /** Offsets of entries, the oldest first. Equal dead letters without a message id have the same fingerprint. */
  readonly #offsets = new Map<string, number[]>();
  /** Fingerprints of removed dead letters whose entries arrived later than the pass began. */
  readonly #late = new Set<string>();
  #next = 0;
  #isThere = true;
  #entries = 0;
  #matching = 0;

  private constructor(url: string, { filter, ended }: PassOptions) {
    this.#url = url;
    this.#filter = filter;
    this.#ended = ended;
    this.#marks = new Marks(url);
  }

  /**
   * Reads the index, before the dead letters are counted: a later entry belongs to a later dead letter.
   *
   * @param options the offsets in `only`, default all, of those that the filter selects.
   * @param progress called with the number of entries after each of them.
   */
  static async read(
    url: string,
    options: PassOptions,
    progress?: (entries: number) => void,
  ): Promise<IndexPass> {
    const { filter, only } = options;
    const pass = new IndexPass(url, options);
    const matches = matcher(filter);
    const selects = Object.values(filter).some((each) => each !== undefined);
    const receive = (offset: number, message: Message) => {
      pass.#entries += 1;
      const isMeant = only === undefined || only.has(offset);
      if (isMeant && (!selects || matches(message, toDeadLetter(message)))) pass.#matching += 1;
      const fingerprint = fingerprintOf(message);
      const offsets = pass.#offsets.get(fingerprint);
      if (offsets) offsets.push(offset);
      else pass.#offsets.set(fingerprint, [offset]);
      progress?.(pass.#entries);
    };
    try {
      await pass.#read(receive);
      return pass;
    } catch (error) {
      await pass.close('failed');
      throw error;
    }
  }

  /**
   * Number of dead letters that the filter selects, after which the pass may end; Infinity if the index does not know it. Its
   * reasons are incomplete before RabbitMQ 3.13.
   */
  expected(queued: number): number {
    const isKnown = this.#entries === queued && this.#matching > 0 && this.#filter.reason === undefined;
    return isKnown ? this.#matching : Number.POSITIVE_INFINITY;
  }

  /** @returns the offset of the dead letter's entry, which no later dead letter has. */
  take(fingerprint: string): number | undefined {
    const offsets = this.#offsets.get(fingerprint);
    const offset = offsets?.shift();
    if (offsets?.length === 0) this.#offsets.delete(fingerprint);
    return offset;
  }

  /** Marks the entry of a removed dead letter. */
  mark(fingerprint: string, offset: number | undefined): void {
    if (!this.#isThere) return;
    if (offset === undefined) this.#late.add(fingerprint);
    else this.#marks.add(offset, offset, this.#ended);
  }

  /**
   * Publishes the rest of the marks.
   *
   * @param end `complete` if the pass saw the whole queue. What it did not find is gone then: another tool took it, or a command
   *   was killed before its mark.
   */
  async close(end: 'complete' | 'partial' | 'failed'): Promise<void> {
    try {
      const left = end === 'complete' ? [...this.#offsets.values()].flat() : [];
      for (const each of left) this.#marks.add(each, each, undefined);
      if (end !== 'failed' && this.#late.size > 0) {
        await this.#read((offset, message) => {
          if (!this.#late.delete(fingerprintOf(message))) return;
          this.#marks.add(offset, offset, this.#ended);
        });
      }
    } finally {
      await this.#marks.close();
    }
  }

  async #read(receive: (offset: number, message: Message) => void): Promise<void> {
    const onGap = (first: number, last: number) => this.#marks.add(first, last, undefined);
    try {
      for await (const { offset, message } of readEntries(this.#url, { from: this.#next, onGap })) {
        receive(offset, message);
        this.#next = offset + 1;
      }
    } catch (error) {
      if (!(error instanceof NoDeadLetterIndexError)) throw error;
      this.#isThere = false;
    }
  }
}
