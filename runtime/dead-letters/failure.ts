import type { DeadLetter } from './dead-letter.ts';
import type { EntrySummary, Failure } from './entry-summary.ts';
import { placeOf } from './error-place.ts';
import { firstLineOf } from './filter.ts';

/** Characters of a text by which dead letters are grouped. A group's address has all of them, and an error may have 64 KiB. */
const maxLength = 500;

/** Returns what a dead letter has in common with others of the same failure. */
export function failureOf({ queue, reason, error }: DeadLetter): Failure {
  const line = firstLineOf(error);
  const place = placeOf(error);
  return {
    queue,
    reason: short(reason),
    // An empty line would select nothing.
    error: line ? short(line) : undefined,
    place: place === undefined ? undefined : short(place),
  };
}

/** Returns what is kept in memory of a dead letter. */
export function summaryOf(offset: number, letter: DeadLetter): EntrySummary {
  const { id, lastFailedAt, bytes } = letter;
  const time = Date.parse(lastFailedAt ?? '');
  return { offset, id, failure: failureOf(letter), failedAt: Number.isNaN(time) ? undefined : time, bytes };
}

/** Half of a surrogate pair could not be sent in an address. */
const short = (text: string): string => text.slice(0, maxLength).replace(/[\ud800-\udbff]$/, '');
