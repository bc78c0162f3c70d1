import type { DeadLetterEntry } from './entries.ts';
import type {
  EntryFilter,
  EntryGroup,
  EntryRange,
  EntrySummary,
  Failure,
  Intervals,
} from './entry-summary.ts';
import type { GoneLog } from './gone-log.ts';
import type { SearchOptions } from './search-log.ts';

/** Dead letters that can be counted, listed and read: those of the project's index, or of other clients' queues. */
export interface LetterIndex {
  /** Number of dead letters at the last update. */
  readonly size: number;
  /** Whether the dead letter with this offset was there at the last update. */
  has(offset: number): boolean;
  /** The dead letters that were replayed, dropped or found to be gone; empty for those of other clients' queues, of which nothing is left. */
  readonly gone: GoneLog;
  /** Reads what is new. */
  update(): Promise<void>;
  /** Counts the dead letters by their failure, the largest group first. */
  groups(filter?: EntryFilter, fields?: readonly (keyof Failure)[], intervals?: Intervals): EntryGroup[];
  /** Returns a page of summaries. The next one is behind the offset of the last. */
  page(filter: EntryFilter, range: EntryRange & { limit?: number }): EntrySummary[];
  /** Reads whole dead letters, the oldest first. */
  read(entries: readonly Pick<EntrySummary, 'offset'>[]): Promise<DeadLetterEntry[]>;
  /** Searches the ids, errors, headers and bodies of the dead letters, the oldest first. */
  search(
    text: string,
    filter?: EntryFilter,
    options?: SearchOptions,
  ): AsyncGenerator<DeadLetterEntry, void, undefined>;
  close(): Promise<void>;
}
