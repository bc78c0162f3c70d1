import type { Command } from 'commander';
import { WarrenError } from '../../base/errors.ts';
import { type DeadLetterEntry, deadLetterEntries } from '../../dead-letters/entries.ts';
import { print } from '../context.ts';
import { letterTable } from '../letter.ts';
import { selectedVhosts } from '../vhosts.ts';
import { withVhost } from './in-vhost.ts';
import { reported } from './reports.ts';
import type { Selection } from './selection.ts';

/** The options of a list. */
export interface Listing extends Selection {
  limit: number;
  /** Offset after which the page begins; true for the first page. */
  page?: number | true;
}

/** Entries in memory at a time. */
const maxAhead = 1000;

/** Lists one page. It ends early, so that it takes as long for the first dead letters as for the last. */
export async function listPage(options: Listing, command: Command): Promise<void> {
  const { queue, reason, error, limit, page } = options;
  const [vhost, ...others] = await selectedVhosts(options);
  if (!vhost || others.length > 0) {
    const names = [vhost, ...others].map((each) => `"${each?.name}"`).join(', ');
    throw new WarrenError('ERR_CONFIG', `--page: expected --vhost with one of ${names}, got none`);
  }
  const after = typeof page === 'number' ? page : undefined;
  const filter = { queue, reason, error };
  const isSelection = Object.values(filter).some((each) => each !== undefined);
  const listed = isSelection
    ? await (await import('./indexed.ts')).withIndex(vhost.url, (index) =>
        index.read(index.page(filter, { after, limit })),
      )
    : await firstEntries(
        deadLetterEntries(vhost.url, { after, ahead: Math.min(Math.max(limit, 1), maxAhead) }),
        limit,
      );
  const next = listed.at(-1)?.offset;
  const letters = listed.map(({ letter }) => withVhost(vhost)(letter));
  print(command, { letters, next }, () =>
    next === undefined ? 'no more dead letters' : `${letterTable(letters)}\n\nthe next page: --page ${next}`,
  );
}

/** Without a selection, the entries of a page follow each other, and no other entry has to be read. */
async function firstEntries(
  entries: AsyncIterable<DeadLetterEntry>,
  limit: number,
): Promise<DeadLetterEntry[]> {
  const listed: DeadLetterEntry[] = [];
  for await (const entry of reported(entries)) if (listed.push(entry) >= limit) break;
  return listed;
}
