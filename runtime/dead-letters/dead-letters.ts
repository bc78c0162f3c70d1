import { Publisher } from '../amqp/publisher.ts';
import { UnavailableError } from '../base/errors.ts';
import type { DeadLetter } from './dead-letter.ts';
import { putBack } from './put-back.ts';
import { type DeadLetterFilter, type Progress, visit } from './visit.ts';

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

export interface Replay {
  replayed: DeadLetterKey[];
  /** Dead letters whose queue no longer exists; they stay. */
  stayed: DeadLetterKey[];
}

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
  await visit(url, { filter, limit, readOnly: true }, async (_message, letter) => {
    letters.push(letter);
    return 'keep';
  });
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
  await visit(url, { filter, readOnly: true }, async (_message, letter) => {
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
    return 'keep';
  });
  return { total, groups: [...groups.values()].sort((a, b) => b.count - a.count), letters };
}

/**
 * Puts dead letters back into their queues and resets their attempts. Each is published and confirmed before it leaves the dead
 * letters: a crash loses none and duplicates at most the current one. Dead letters that arrive meanwhile are skipped, so that
 * one that fails at once is not replayed forever.
 *
 * @returns the dead letters that were put back, and those that stay because their queue no longer exists.
 * @throws UnavailableError with the number of those that were put back if the broker becomes unavailable; the rest stays.
 */
export async function replayDeadLetters(
  url: string,
  filter: DeadLetterFilter = {},
  progress?: Progress,
): Promise<Replay> {
  const publisher = new Publisher({ url, name: 'warren dead-letters replay', tries: 1 });
  const result: Replay = { replayed: [], stayed: [] };
  const gone = new Set<string>();
  try {
    await visit(url, { filter, progress }, async (message, letter) => {
      const { id, queue, reason } = letter;
      if (!gone.has(queue) && !(await putBack(publisher, message, letter))) gone.add(queue);
      result[gone.has(queue) ? 'stayed' : 'replayed'].push({ id, queue, reason });
      return gone.has(queue) ? 'keep' : 'remove';
    });
  } catch (cause) {
    const { length } = result.replayed;
    if (length === 0 || !(cause instanceof UnavailableError)) throw cause;
    const text = `${cause.message}; put back ${length} before that, the rest is still there`;
    throw new UnavailableError('broker', text, { cause });
  } finally {
    await publisher.close();
  }
  return result;
}

/**
 * Deletes dead letters for good.
 *
 * @param limit maximum number: dead letters that arrived after the user's confirmation stay.
 * @returns the deleted dead letters.
 */
export async function dropDeadLetters(
  url: string,
  filter: DeadLetterFilter = {},
  limit = Number.POSITIVE_INFINITY,
): Promise<DeadLetter[]> {
  const dropped: DeadLetter[] = [];
  await visit(url, { filter, limit }, async (_message, letter) => {
    dropped.push(letter);
    return 'remove';
  });
  return dropped;
}
