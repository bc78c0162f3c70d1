import type { DeadLetter } from './dead-letter.ts';
import { type DeadLetterFilter, readEach, takeEach } from './visit.ts';

/** Dead letters of one queue with the same reason. */
export interface DeadLetterGroup {
  queue: string;
  reason: string;
  count: number;
  /** When the first of them failed, in ISO 8601. */
  oldest?: string | undefined;
  /** When the last of them failed, in ISO 8601. */
  newest?: string | undefined;
}

export interface DeadLetterOverview {
  total: number;
  groups: DeadLetterGroup[];
  /** The oldest dead letters, up to the limit. */
  letters: DeadLetter[];
}

/** Identifies a dead letter. Thousands of complete ones may need too much memory. */
export type DeadLetterKey = Pick<DeadLetter, 'id' | 'queue' | 'reason'>;

/**
 * Lists dead letters, oldest first. They stay in their queue.
 *
 * @param limit maximum number, default 1000.
 */
export async function listDeadLetters(
  url: string,
  filter: DeadLetterFilter = {},
  limit = 1000,
): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  await readEach(url, filter, (letter) => letters.push(letter) < limit);
  return letters;
}

/**
 * Counts dead letters by queue and reason, the largest group first. They stay in their queue.
 *
 * @param limit maximum number of complete dead letters in the result.
 */
export async function surveyDeadLetters(
  url: string,
  filter: DeadLetterFilter = {},
  limit = 1000,
): Promise<DeadLetterOverview> {
  const groups = new Map<string, DeadLetterGroup>();
  const letters: DeadLetter[] = [];
  let total = 0;
  await readEach(url, filter, (letter) => {
    const { queue, reason, lastFailedAt: at } = letter;
    const key = JSON.stringify([queue, reason]);
    const group = groups.get(key) ?? { queue, reason, count: 0 };
    group.count += 1;
    // Times in ISO 8601 sort as text.
    if (at !== undefined && !(group.oldest !== undefined && group.oldest <= at)) group.oldest = at;
    if (at !== undefined && !(group.newest !== undefined && group.newest >= at)) group.newest = at;
    groups.set(key, group);
    total += 1;
    if (letters.length < limit) letters.push(letter);
    return true;
  });
  return { total, groups: [...groups.values()].sort((a, b) => b.count - a.count), letters };
}

/**
 * Deletes dead letters for good.
 *
 * @param limit maximum number: dead letters that arrived after the user's confirmation stay.
 * @returns the deleted dead letters, without their bodies: all of them may need too much memory.
 */
export async function dropDeadLetters(
  url: string,
  filter: DeadLetterFilter = {},
  limit = Number.POSITIVE_INFINITY,
): Promise<DeadLetterKey[]> {
  const dropped: DeadLetterKey[] = [];
  await takeEach(url, { filter, limit }, async (_message, { id, queue, reason }) => {
    dropped.push({ id, queue, reason });
    return 'remove';
  });
  return dropped;
}
