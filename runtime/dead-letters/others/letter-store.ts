import type { Message } from 'amqplib';
import { type DeadLetter, hasText, toDeadLetter } from '../dead-letter.ts';
import type { DeadLetterEntry } from '../entries.ts';
import type { EntryFilter, EntryRange, EntrySummary } from '../entry-summary.ts';
import { EntryTable } from '../entry-table.ts';
import { summaryOf } from '../failure.ts';
import { fingerprintOf } from '../fingerprint.ts';
import type { SearchOptions } from '../search-log.ts';

/** A dead letter of another client's queue, in memory. */
export interface KeptLetter {
  letter: DeadLetter;
  source: string;
  fingerprint: string;
}

/** Bytes of bodies and headers that are kept. */
const maxBytes = 256 * 1024 ** 2;

/** The dead letters of other clients' queues, in memory with a position of our own for each. */
export class LetterStore {
  readonly table = new EntryTable();
  readonly #letters = new Map<number, KeptLetter>();
  /** Begins with the time, so that a page that was opened before a restart does not mean another dead letter by a position. */
  #next = Date.now() * 1000;
  #bytes = 0;

  get(offset: number): KeptLetter | undefined {
    return this.#letters.get(offset);
  }

  /** The positions of the dead letters of a queue by their fingerprints, the oldest first. */
  offsetsOf(source: string): Map<string, number[]> {
    const offsets = new Map<string, number[]>();
    for (const [offset, each] of this.#letters) {
      if (each.source !== source) continue;
      const same = offsets.get(each.fingerprint);
      if (same) same.push(offset);
      else offsets.set(each.fingerprint, [offset]);
    }
    return offsets;
  }

  page(filter: EntryFilter, { limit, ...range }: EntryRange & { limit?: number }): EntrySummary[] {
    const page: EntrySummary[] = [];
    if (limit === 0) return page;
    for (const entry of this.table.select(filter, range)) if (page.push(entry) === limit) break;
    return page;
  }

  read(entries: readonly Pick<EntrySummary, 'offset'>[]): DeadLetterEntry[] {
    return entries.flatMap(({ offset }) => {
      const letter = this.get(offset)?.letter;
      return letter ? [{ offset, letter }] : [];
    });
  }

  async *search(
    text: string,
    filter: EntryFilter,
    { after, progress, signal }: SearchOptions,
  ): AsyncGenerator<DeadLetterEntry, void, undefined> {
    for (const { offset } of this.page(filter, { after })) {
      if (signal?.aborted) return;
      const letter = this.get(offset)?.letter;
      progress?.(offset);
      if (letter && hasText(letter, text)) yield { offset, letter };
    }
  }

  /** @returns false if there is no room for it. */
  add(source: string, message: Message): boolean {
    const letter = toDeadLetter(message);
    const bytes = sizeOf(letter);
    if (this.#bytes + bytes > maxBytes) return false;
    this.#bytes += bytes;
    const offset = this.#next;
    this.#next += 1;
    this.#letters.set(offset, { letter, source, fingerprint: fingerprintOf(message) });
    this.table.add(summaryOf(offset, letter));
    return true;
  }

  remove(offset: number): void {
    const kept = this.#letters.get(offset);
    if (!kept) return;
    this.#bytes -= sizeOf(kept.letter);
    this.#letters.delete(offset);
    this.table.remove(offset, offset);
  }
}

/** Bytes in memory, about: a header has a name and a value. */
const sizeOf = ({ body, headers }: DeadLetter): number =>
  2 * body.length + 200 * (Object.keys(headers).length + 5);
