import type { DeadLetter } from './dead-letter.ts';
import { type DeadLetterEntry, deadLetterEntries } from './entries.ts';
import { type DeadLetterFilter, firstLineOf } from './filter.ts';

/** Dead letters with the same queue, reason and error. */
export interface DeadLetterKind {
  queue: string;
  reason: string;
  /** The first line of the error. */
  error?: string | undefined;
  count: number;
  /** When the first and the last of them failed, in ISO 8601. */
  firstSeen?: string | undefined;
  lastSeen?: string | undefined;
}

/**
 * Groups dead letters by queue, reason and the first line of the error.
 *
 * @param entries dead letters, such as those of `deadLetterEntries`.
 * @returns the groups, the largest first.
 */
export async function groupDeadLetters(
  entries: AsyncIterable<Pick<DeadLetterEntry, 'letter'>>,
): Promise<DeadLetterKind[]> {
  const groups = new Map<string, DeadLetterKind>();
  for await (const { letter } of entries) addToGroup(groups, letter);
  return [...groups.values()].sort((a, b) => b.count - a.count);
}

function addToGroup(groups: Map<string, DeadLetterKind>, letter: DeadLetter): void {
  const { queue, reason, lastFailedAt: at } = letter;
  const error = firstLineOf(letter.error);
  const key = JSON.stringify([queue, reason, error]);
  const group = groups.get(key) ?? { queue, reason, error, count: 0 };
  group.count += 1;
  // Times in ISO 8601 sort as text.
  if (at !== undefined && !(group.firstSeen !== undefined && group.firstSeen <= at)) group.firstSeen = at;
  if (at !== undefined && !(group.lastSeen !== undefined && group.lastSeen >= at)) group.lastSeen = at;
  groups.set(key, group);
}

/**
 * Groups the dead letters of the index by queue, reason and the first line of the error. No dead letter is taken, and no delivery
 * count changes.
 *
 * @returns the groups, the largest first.
 * @throws as `deadLetterEntries`.
 */
export async function summarizeDeadLetters(
  url: string,
  filter: DeadLetterFilter = {},
): Promise<DeadLetterKind[]> {
  return groupDeadLetters(deadLetterEntries(url, filter));
}
