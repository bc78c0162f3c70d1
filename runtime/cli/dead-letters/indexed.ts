import { hasReplyCode } from '../../amqp/reply-code.ts';
import type { DeadLetter } from '../../dead-letters/dead-letter.ts';
import { DeadLetterIndex } from '../../dead-letters/dead-letter-index.ts';
import {
  countDeadLetters,
  type DeadLetterOverview,
  listDeadLetters,
  surveyDeadLetters,
} from '../../dead-letters/dead-letters.ts';
import { NoDeadLetterIndexError } from '../../dead-letters/entries.ts';
import type { EntryGroup, EntrySummary, Failure } from '../../dead-letters/entry-summary.ts';
import type { DeadLetterFilter } from '../../dead-letters/filter.ts';
import { indexFile } from '../../dead-letters/index-file.ts';
import { type DeadLetterKind, groupDeadLetters } from '../../dead-letters/summary.ts';
import { cacheFolder } from '../context.ts';
import { everyTwoSeconds, warn } from './reports.ts';

/** The broker of a virtual host, and the beginning of the warnings about it. */
export interface Place {
  url: string;
  where: string;
}

/** As `surveyDeadLetters`, from the index if there is one. A number that differs from the queue's is reported. */
export function surveyIndexed(
  place: Place,
  filter: DeadLetterFilter,
  limit: number,
): Promise<DeadLetterOverview> {
  return indexedOr(
    place,
    async (index) => {
      const groups = index
        .groups(filter, ['queue', 'reason'])
        .map(({ count, firstSeen, lastSeen, ...group }) => ({
          ...(group as Pick<Failure, 'queue' | 'reason'>),
          count,
          oldest: isoOf(firstSeen),
          newest: isoOf(lastSeen),
        }));
      const total = groups.reduce((sum, { count }) => sum + count, 0);
      if (Object.values(filter).every((each) => each === undefined)) await compareWithQueue(place, total);
      return { total, groups, letters: await lettersOf(index, index.page(filter, { limit })) };
    },
    () => surveyDeadLetters(place.url, filter, limit),
  );
}

/** As `listDeadLetters`, from the index if there is one. */
export function listIndexed(place: Place, filter: DeadLetterFilter): Promise<DeadLetter[]> {
  return indexedOr(
    place,
    (index) => lettersOf(index, index.page(filter, {})),
    () => listDeadLetters(place.url, filter),
  );
}

/** As `summarizeDeadLetters`, from the queue if there is no index. */
export function summarizeIndexed(place: Place, filter: DeadLetterFilter): Promise<DeadLetterKind[]> {
  return indexedOr(
    place,
    async (index) =>
      index.groups(filter, ['queue', 'reason', 'error']).map(({ firstSeen, lastSeen, ...group }) => ({
        ...(group as Pick<EntryGroup, 'count'> & Failure),
        firstSeen: isoOf(firstSeen),
        lastSeen: isoOf(lastSeen),
      })),
    async () => groupDeadLetters(wrapped(await listDeadLetters(place.url, filter, Number.POSITIVE_INFINITY))),
  );
}

const isoOf = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());

const lettersOf = async (index: DeadLetterIndex, entries: readonly EntrySummary[]) =>
  (await index.read(entries)).map(({ letter }) => letter);

/** Passes the index of a virtual host to `use`, with what is new, and reports on stderr how many entries were read. */
export async function withIndex<T>(url: string, use: (index: DeadLetterIndex) => Promise<T>): Promise<T> {
  const folder = cacheFolder();
  const index = new DeadLetterIndex(url, { file: folder && indexFile(folder, url) });
  const report = everyTwoSeconds();
  try {
    await index.update((entries) => report(() => `read ${entries} entries of the index`));
    return await use(index);
  } finally {
    await index.close();
  }
}

/** Reads from the index, or from the queue if there is no index, which is reported. */
async function indexedOr<T>(
  { url, where }: Place,
  fromIndex: (index: DeadLetterIndex) => Promise<T>,
  fromQueue: () => Promise<T>,
): Promise<T> {
  try {
    return await withIndex(url, fromIndex);
  } catch (error) {
    if (!(error instanceof NoDeadLetterIndexError)) throw error;
    // Without an index, the queue is the only place to read.
    if (hasReplyCode(error.cause, 403)) {
      warn(`${where}${error.message}: reading their queue, which counts a delivery of each`);
    }
    return fromQueue();
  }
}

async function compareWithQueue({ url, where }: Place, total: number): Promise<void> {
  const queued = await countDeadLetters(url);
  if (queued === undefined || queued === total) return;
  const counts = `the queue has ${queued} dead letters, the index ${total}`;
  warn(`${where}${counts}: if no other command works on them, run: warren dead-letters reindex`);
}

async function* wrapped(letters: readonly DeadLetter[]): AsyncGenerator<{ letter: DeadLetter }> {
  for (const letter of letters) yield { letter };
}
