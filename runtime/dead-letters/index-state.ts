import { toDeadLetter } from './dead-letter.ts';
import { EntryTable } from './entry-table.ts';
import { placeOf } from './error-place.ts';
import { firstLineOf } from './filter.ts';
import type { FiledState } from './index-file.ts';
import { rangesOf } from './marks.ts';
import { Offsets } from './offsets.ts';
import { type LastRead, lastReadOf } from './read-new.ts';
import type { StreamEntry } from './read-stream.ts';

/** What was read from the two streams of the index: the entries whose dead letters are there, and how far it was read. */
export class IndexState {
  readonly table: EntryTable;
  /** Whether entries or marks were added to those of a file. */
  isChanged = false;
  #log: LastRead | undefined;
  #marks: LastRead | undefined;
  /** Marks of entries that are not read yet. */
  #early = new Offsets();
  #first = 0;

  constructor(filed?: FiledState) {
    this.table = new EntryTable(filed?.columns);
    this.#log = filed?.log;
    this.#marks = filed?.marks;
    for (const [first, last] of filed?.early ?? []) this.#early.add(first, last);
  }

  /** The last entry that was read. */
  get log(): LastRead | undefined {
    return this.#log;
  }

  /** The last mark that was read. */
  get marks(): LastRead | undefined {
    return this.#marks;
  }

  /** Lowest offset of which there is no mark, if no entry was read yet. */
  get firstMissing(): number {
    return this.#early.firstMissing;
  }

  /** Number of offsets of the stream at the last `trim`. */
  get span(): number {
    return (this.#log?.offset ?? -1) + 1 - this.#first;
  }

  addEntry(entry: StreamEntry): void {
    const { offset, message } = entry;
    this.#log = lastReadOf(entry);
    this.isChanged = true;
    if (this.#early.has(offset)) return;
    const { id, queue, reason, error, lastFailedAt, bytes } = toDeadLetter(message);
    const time = Date.parse(lastFailedAt ?? '');
    this.table.add({
      offset,
      id,
      failure: { queue, reason, error: firstLineOf(error), place: placeOf(error) },
      failedAt: Number.isNaN(time) ? undefined : time,
      bytes,
    });
  }

  addMarks(entry: StreamEntry): void {
    this.#marks = lastReadOf(entry);
    this.isChanged = true;
    const next = (this.#log?.offset ?? -1) + 1;
    for (const [first, last] of rangesOf(entry.message)) {
      this.table.remove(first, last);
      if (last >= next) this.#early.add(Math.max(first, next), last);
    }
  }

  /**
   * Removes the entries that the broker has forgotten, and the marks that were needed.
   *
   * @param first offset of the oldest entry that the broker has.
   */
  trim(first = 0): void {
    this.#first = first;
    if (first > 0) this.table.remove(0, first - 1);
    const read = this.#log?.offset ?? -1;
    const left = this.#early.ranges().filter(([, last]) => last > read);
    this.#early = new Offsets();
    for (const [from, last] of left) this.#early.add(from, last);
  }

  /** Returns what a file needs. */
  filed(): FiledState {
    const early = this.#early.ranges();
    return { log: this.#log, marks: this.#marks, early, columns: this.table.columns() };
  }
}
