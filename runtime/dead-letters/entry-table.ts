import type { EntryFilter, EntryRange, EntrySummary, Failure } from './entry-summary.ts';

/** The columns of a table, as a file has them. An entry without a time has null. */
export interface Columns {
  failures: Failure[];
  offsets: number[];
  ids: string[];
  /** Positions in `failures`. */
  failureOf: number[];
  failedAt: (number | null)[];
  bytes: number[];
}

const emptyColumns = (): Columns => ({
  failures: [],
  offsets: [],
  ids: [],
  failureOf: [],
  failedAt: [],
  bytes: [],
});
/** In place of the position of a failure: the dead letter is gone. */
const gone = -1;
/** Entries that are gone and keep their rows. */
const maxGone = 1000;

const keyOf = ({ queue, reason, error, place }: Failure) => JSON.stringify([queue, reason, error, place]);

/**
 * The entries of the index in the order of their offsets. They are in columns, because an object for each would need several times
 * the memory. Each query is one pass.
 */
export class EntryTable {
  #columns: Columns;
  #positions: Map<string, number>;
  #gone = 0;

  /** @param columns of a file, which become part of the table. */
  constructor(columns: Columns = emptyColumns()) {
    this.#columns = columns;
    this.#positions = new Map(columns.failures.map((failure, position) => [keyOf(failure), position]));
  }

  get size(): number {
    return this.#columns.offsets.length - this.#gone;
  }

  /** @param entry its offset is above all offsets of the table. */
  add({ offset, id, failure, failedAt, bytes }: EntrySummary): void {
    const columns = this.#columns;
    const key = keyOf(failure);
    const position = this.#positions.get(key) ?? columns.failures.push(failure) - 1;
    this.#positions.set(key, position);
    columns.offsets.push(offset);
    columns.ids.push(id);
    columns.failureOf.push(position);
    columns.failedAt.push(failedAt ?? null);
    columns.bytes.push(bytes);
  }

  /** Removes the entries from an offset to another, both included. */
  remove(first: number, last: number): void {
    const { offsets, failureOf } = this.#columns;
    const end = this.#rowFrom(last + 1);
    for (let row = this.#rowFrom(first); row < end; row += 1) {
      if (failureOf[row] !== gone) this.#gone += 1;
      failureOf[row] = gone;
    }
    if (this.#gone > maxGone && this.#gone > offsets.length / 2) this.#compact();
  }

  has(offset: number): boolean {
    const row = this.#rowFrom(offset);
    return this.#columns.offsets[row] === offset && this.#columns.failureOf[row] !== gone;
  }

  /** Selects entries in the order of their offsets. The table must not change meanwhile. */
  *select(
    { id, ...filter }: EntryFilter = {},
    { after = -1, before, newestFirst = false }: EntryRange = {},
  ): Generator<EntrySummary, void, undefined> {
    const { failures, offsets, ids, failureOf, failedAt, bytes } = this.#columns;
    const meant = id === undefined ? undefined : new Set(typeof id === 'string' ? [id] : id);
    const matches = failures.map((failure) => isMeant(failure, filter));
    const first = this.#rowFrom(after + 1);
    const end = before === undefined ? offsets.length : this.#rowFrom(before);
    for (let step = 0; step < end - first; step += 1) {
      const row = newestFirst ? end - 1 - step : first + step;
      const position = failureOf[row] ?? gone;
      const failure = failures[position];
      const own = ids[row] ?? '';
      if (!failure || !matches[position] || (meant && !meant.has(own))) continue;
      const at = failedAt[row] ?? undefined;
      yield { offset: offsets[row] ?? 0, id: own, failure, failedAt: at, bytes: bytes[row] ?? 0 };
    }
  }

  /** Returns the columns without the entries that are gone. */
  columns(): Columns {
    if (this.#gone > 0) this.#compact();
    return this.#columns;
  }

  /** Returns the first row whose offset is not lower. */
  #rowFrom(offset: number): number {
    const { offsets } = this.#columns;
    let [low, high] = [0, offsets.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((offsets[middle] ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compact(): void {
    const left = new EntryTable();
    for (const entry of this.select()) left.add(entry);
    this.#columns = left.#columns;
    this.#positions = left.#positions;
    this.#gone = 0;
  }
}

function isMeant(failure: Failure, filter: Omit<EntryFilter, 'id'>): boolean {
  const { queue, reason, error, errorIs, place } = filter;
  if (queue !== undefined && failure.queue !== queue) return false;
  if (reason !== undefined && failure.reason !== reason) return false;
  if (place !== undefined && failure.place !== place) return false;
  if (errorIs !== undefined && failure.error !== errorIs) return false;
  return error === undefined || (failure.error?.includes(error) ?? false);
}
