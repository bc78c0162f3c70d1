import { toDeadLetter } from './dead-letter.ts';
import { EntryTable } from './entry-table.ts';
import { summaryOf } from './failure.ts';
import { GoneLog } from './gone-log.ts';
import type { FiledState } from './index-file.ts';
import { Offsets } from './offsets.ts';
import { endOf, rangesOf } from './read-marks.ts';
import { type LastRead, lastReadOf } from './read-new.ts';
import type { StreamEntry } from './read-stream.ts';

/** What was read from the two streams of the index: the entries whose dead letters are there, and how far it was read. */
export class IndexState {
  readonly table: EntryTable;
  readonly gone: GoneLog;
  /** Whether entries or marks were added to those of a file. */
  isChanged = false;
  #log: LastRead | undefined;
  #marks: LastRead | undefined;
  /** Marks of entries that are not read yet. */
  #early = new Offsets();
  #first = 0;

  constructor(filed?: FiledState) {
    this.table = new EntryTable(filed?.columns);
    this.gone = new GoneLog(filed?.gone);
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
    this.table.add(summaryOf(offset, toDeadLetter(message)));
  }

  addMarks(entry: StreamEntry): void {
    this.#marks = lastReadOf(entry);
    this.isChanged = true;
    const next = (this.#log?.offset ?? -1) + 1;
    const end = endOf(entry.message);
    for (const [first, last] of rangesOf(entry.message)) {
      this.gone.add([first, last], end);
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
    this.gone.trim(first);
    const read = this.#log?.offset ?? -1;
    const left = this.#early.ranges().filter(([, last]) => last > read);
    this.#early = new Offsets();
    for (const [from, last] of left) this.#early.add(from, last);
  }

  /** Returns what a file needs. */
  filed(): FiledState {
    const early = this.#early.ranges();
    const gone = this.gone.runs();
    return { log: this.#log, marks: this.#marks, early, gone, columns: this.table.columns() };
  }
}
