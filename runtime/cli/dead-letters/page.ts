import type { Command } from 'commander';
import { type DeadLetterEntry, deadLetterEntries } from '../../dead-letters/entries.ts';
import { print, required } from '../context.ts';
import { letterTable } from '../letter.ts';
import { everyTwoSeconds, type Selection } from './selection.ts';

/** The options of a list. */
export interface Listing extends Selection {
  limit: number;
  /** Offset after which the page begins; true for the first page. */
  page?: number | true;
}

/** Lists one page. It ends early, so that it takes as long for the first dead letters as for the last. */
export async function listPage(options: Listing, command: Command): Promise<void> {
  const { queue, reason, error, limit, page } = options;
  const after = typeof page === 'number' ? page : undefined;
  const listed: DeadLetterEntry[] = [];
  const entries = deadLetterEntries(required('AMQP_URL'), { queue, reason, error, after });
  for await (const entry of reported(entries)) {
    listed.push(entry);
    if (listed.length >= limit) break;
  }
  const next = listed.at(-1)?.offset;
  const letters = listed.map(({ letter }) => letter);
  print(command, { letters, next }, () =>
    next === undefined ? 'no more dead letters' : `${letterTable(letters)}\n\nthe next page: --page ${next}`,
  );
}

/** Reports on stderr how many entries were read. */
export async function* reported(entries: AsyncIterable<DeadLetterEntry>): AsyncGenerator<DeadLetterEntry> {
  const report = everyTwoSeconds();
  let read = 0;
  for await (const entry of entries) {
    read += 1;
    report(() => `read ${read} entries of the index`);
    yield entry;
  }
}
