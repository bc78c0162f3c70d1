import { BrokerConnection } from '../amqp/connection.ts';
import { deadLetterLog, deadLetterMarks } from '../topology/names.ts';
import { toDeadLetter } from './dead-letter.ts';
import { type DeadLetterEntry, firstMove, indexError, maxMove } from './entries.ts';
import {
  type EntryFilter,
  type EntryGroup,
  type EntryRange,
  type EntrySummary,
  type Failure,
  groupEntries,
  type Intervals,
} from './entry-summary.ts';
import { IndexFilling } from './fill-index.ts';
import { GoneLog } from './gone-log.ts';
import { readIndexFile, writeIndexFile } from './index-file.ts';
import { IndexState } from './index-state.ts';
import type { LetterIndex } from './letter-index.ts';
import { readAt } from './read-at.ts';
import { firstOffset, isOtherStream, readNew } from './read-new.ts';
import { type SearchOptions, searchLog } from './search-log.ts';

export interface DeadLetterIndexOptions {
  /**
   * Path of a file that keeps the summaries for the next process, default none. Without the right to write it, the index works
   * without it.
   */
  file?: string | undefined;
}

/** Entries of the stream below which reading it takes less than a second. */
const minFiled = 2000;
/** Milliseconds between two writes of the file by a process that runs for long. */
const saveMs = 60_000;

/**
 * The index of the dead letters in memory: a summary of each, so that counts and pages need no read. A whole dead letter is read
 * from its position. Nothing is taken from the queue of the dead letters, and no delivery count changes.
 */
export class DeadLetterIndex implements LetterIndex {
  readonly #url: string;
  readonly #file: string | undefined;
  readonly #connection: BrokerConnection;
  #state: IndexState | undefined;
  #updating: Promise<void> | undefined;
  #savedAt = Number.NEGATIVE_INFINITY;

  /** @param url AMQP URL of the broker; the login needs the rights that `deadLetterEntries` names. */
  constructor(url: string, { file }: DeadLetterIndexOptions = {}) {
    this.#url = url;
    this.#file = file;
    this.#connection = new BrokerConnection({ url, name: 'warren dead-letters index' });
  }

  /** Number of dead letters at the last update. */
  get size(): number {
    return this.#state?.table.size ?? 0;
  }

  /** Whether the dead letter with this offset was there at the last update. */
  has(offset: number): boolean {
    return this.#state?.table.has(offset) ?? false;
  }

  /** The dead letters that are gone, as of the last update. */
  get gone(): GoneLog {
    return this.#state?.gone ?? new GoneLog();
  }

  /**
   * Moves the copies of new dead letters to the index and reads what is new there. Calls at the same time share one update.
   *
   * @param progress called with the number of new entries after each.
   * @throws NoDeadLetterIndexError if the broker has no index or the login may not read it, UnavailableError if the broker is
   *   unavailable. What was read is kept.
   */
  update(progress?: (entries: number) => void): Promise<void> {
    this.#updating ??= this.#update(progress).finally(() => {
      this.#updating = undefined;
    });
    return this.#updating;
  }

  /** Counts the dead letters by their failure, the largest group first; `fields` are those that make a group, default all. */
  groups(filter: EntryFilter = {}, fields?: readonly (keyof Failure)[], intervals?: Intervals): EntryGroup[] {
    return groupEntries(this.#state?.table.select(filter) ?? [], fields, intervals);
  }

  /** Returns a page of summaries. The next one is behind the offset of the last. */
  page(filter: EntryFilter, { limit, ...range }: EntryRange & { limit?: number }): EntrySummary[] {
    const page: EntrySummary[] = [];
    if (limit === 0) return page;
    for (const entry of this.#state?.table.select(filter, range) ?? []) if (page.push(entry) === limit) break;
    return page;
  }

  /** Reads whole dead letters, the oldest first. Those that the broker has forgotten are missing. */
  async read(entries: readonly Pick<EntrySummary, 'offset'>[]): Promise<DeadLetterEntry[]> {
    const offsets = entries.map(({ offset }) => offset).sort((a, b) => a - b);
    try {
      const found = await readAt(this.#connection, deadLetterLog, offsets);
      return found.map(({ offset, message }) => ({ offset, letter: toDeadLetter(message) }));
    } catch (error) {
      throw indexError(error);
    }
  }

  /** Reads dead letters whole to find a text in the same case in ids, errors, headers and bodies, the oldest first. */
  async *search(
    text: string,
    filter: EntryFilter = {},
    options: SearchOptions = {},
  ): AsyncGenerator<DeadLetterEntry, void, undefined> {
    const offsets = this.page(filter, { after: options.after }).map(({ offset }) => offset);
    try {
      yield* searchLog(this.#connection, text, offsets, options);
    } catch (error) {
      throw indexError(error);
    }
  }

  /** Writes the file, and closes the connection. */
  async close(): Promise<void> {
    await this.#updating?.catch(() => undefined);
    if (this.#state) await this.#save(this.#state);
    await this.#connection.close();
  }

  async #update(progress?: (entries: number) => void): Promise<void> {
    try {
      this.#state ??= new IndexState(this.#file === undefined ? undefined : await readIndexFile(this.#file));
      await this.#read(this.#state, progress).catch((error: unknown) => {
        if (!isOtherStream(error)) throw error;
        this.#state = new IndexState();
        return this.#read(this.#state, progress);
      });
    } catch (error) {
      throw indexError(error);
    }
    if (performance.now() - this.#savedAt > saveMs) await this.#save(this.#state);
  }

  async #read(state: IndexState, progress?: (entries: number) => void): Promise<void> {
    const filling = new IndexFilling(this.#url, this.#connection);
    try {
      let [waiting] = await Promise.all([filling.move(firstMove), this.#mark(state)]);
      let [count, read] = [firstMove, 0];
      for (;;) {
        for await (const entry of readNew(this.#connection, deadLetterLog, state.log, state.firstMissing)) {
          state.addEntry(entry);
          read += 1;
          progress?.(read);
        }
        if (waiting === 0) break;
        waiting = await filling.move(count);
        count = Math.min(count * 2, maxMove);
      }
    } finally {
      await filling.close();
    }
    state.trim(state.log && (await firstOffset(this.#connection, deadLetterLog)));
  }

  async #mark(state: IndexState): Promise<void> {
    for await (const entry of readNew(this.#connection, deadLetterMarks, state.marks)) state.addMarks(entry);
  }

  async #save(state: IndexState): Promise<void> {
    if (this.#file === undefined || !state.isChanged || state.span < minFiled) return;
    this.#savedAt = performance.now();
    state.isChanged = false;
    // A container may have no folder that it may write.
    await writeIndexFile(this.#file, state.filed()).catch(() => undefined);
  }
}
