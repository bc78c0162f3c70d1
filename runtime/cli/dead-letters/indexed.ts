import { hasReplyCode } from '../../amqp/reply-code.ts';
import type { DeadLetter } from '../../dead-letters/dead-letter.ts';
import {
  countDeadLetters,
  type DeadLetterOverview,
  listDeadLetters,
  Survey,
  surveyDeadLetters,
} from '../../dead-letters/dead-letters.ts';
import {
  type DeadLetterEntry,
  deadLetterEntries,
  NoDeadLetterIndexError,
} from '../../dead-letters/entries.ts';
import type { DeadLetterFilter } from '../../dead-letters/filter.ts';
import { type DeadLetterKind, groupDeadLetters } from '../../dead-letters/summary.ts';
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
    async () => {
      const survey = new Survey(limit);
      for await (const { letter } of reported(deadLetterEntries(place.url, filter))) survey.add(letter);
      const overview = survey.overview();
      if (Object.values(filter).every((each) => each === undefined))
        await compareWithQueue(place, overview.total);
      return overview;
    },
    () => surveyDeadLetters(place.url, filter, limit),
  );
}

/** As `listDeadLetters`, from the index if there is one. */
export function listIndexed(place: Place, filter: DeadLetterFilter): Promise<DeadLetter[]> {
  return indexedOr(
    place,
    async () => {
      const letters: DeadLetter[] = [];
      for await (const { letter } of reported(deadLetterEntries(place.url, filter))) letters.push(letter);
      return letters;
    },
    () => listDeadLetters(place.url, filter),
  );
}

/** As `summarizeDeadLetters`, from the queue if there is no index. */
export function summarizeIndexed(place: Place, filter: DeadLetterFilter): Promise<DeadLetterKind[]> {
  return indexedOr(
    place,
    () => groupDeadLetters(reported(deadLetterEntries(place.url, filter))),
    async () => groupDeadLetters(wrapped(await listDeadLetters(place.url, filter, Number.POSITIVE_INFINITY))),
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

/** Reads from the index, or from the queue if there is no index, which is reported. */
async function indexedOr<T>(
  { where }: Place,
  fromIndex: () => Promise<T>,
  fromQueue: () => Promise<T>,
): Promise<T> {
  try {
    return await fromIndex();
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
