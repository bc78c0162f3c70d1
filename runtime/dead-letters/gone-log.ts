import type { OffsetRange } from './offsets.ts';
import type { End } from './read-marks.ts';

/** Entries that follow each other in the index and went together. */
export interface GoneRun extends End {
  /** Position of the first one. */
  start: number;
  first: number;
  last: number;
}

/** Entries that are kept. */
const maxKept = 100_000;

/** The entries whose dead letters are gone, in the order in which they went, and how. */
export class GoneLog {
  #offsets: number[] = [];
  readonly #ends = new Map<number, End>();
  /** Position of the first offset: those before it are forgotten. */
  #start = 0;
  #oldest = 0;

  /** @param runs of a file. */
  constructor(runs: readonly GoneRun[] = []) {
    this.#start = runs[0]?.start ?? 0;
    for (const { start: _start, first, last, ...end } of runs) this.add([first, last], end);
  }

  /** Adds entries. Those that are known keep their end: a later command may find the entry of a killed one, and knows less. */
  add([first, last]: OffsetRange, end: End): void {
    // A mark may name a gap, in which no entries are.
    for (let offset = Math.max(first, last - maxKept + 1); offset <= last; offset += 1) {
      if (this.#ends.has(offset)) continue;
      this.#offsets.push(offset);
      this.#ends.set(offset, end);
    }
    if (this.#offsets.length > maxKept * 1.1) this.#forget(this.#offsets.length - maxKept);
  }

  /** @returns undefined if the dead letter is not gone, or if that is forgotten. */
  find(offset: number): End | undefined {
    return this.#ends.get(offset);
  }

  /**
   * Returns the offsets of entries, the latest to go first, with their positions.
   *
   * @param before only entries before this position, default all.
   */
  page(limit: number, before = Number.POSITIVE_INFINITY): { position: number; offset: number; end: End }[] {
    const page: { position: number; offset: number; end: End }[] = [];
    const last = Math.min(this.#offsets.length, before - this.#start) - 1;
    for (let row = last; row >= 0 && page.length < limit; row -= 1) {
      const offset = this.#offsets[row] ?? 0;
      if (offset < this.#oldest) continue;
      page.push({ position: this.#start + row, offset, end: this.#ends.get(offset) ?? {} });
    }
    return page;
  }

  /** Leaves out the entries that the broker has forgotten, which are those before an offset. */
  trim(oldest: number): void {
    this.#oldest = oldest;
  }

  /** Returns what a file needs. */
  runs(): GoneRun[] {
    const runs: GoneRun[] = [];
    let end: End | undefined;
    for (const [row, offset] of this.#offsets.entries()) {
      const own = this.#ends.get(offset);
      const run = runs.at(-1);
      if (run && own === end && run.last === offset - 1) run.last = offset;
      else runs.push({ start: this.#start + row, first: offset, last: offset, ...own });
      end = own;
    }
    return runs;
  }

  #forget(count: number): void {
    for (const offset of this.#offsets.splice(0, count)) this.#ends.delete(offset);
    this.#start += count;
  }
}
