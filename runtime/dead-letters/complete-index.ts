import { WarrenError } from '../base/errors.ts';
import type { DeclaredIndex } from '../topology/dead-letter-index.ts';
import { NoDeadLetterIndexError } from './entries.ts';
import { indexOlderDeadLetters } from './reindex.ts';
import type { Progress } from './take.ts';

export interface CompletedIndex {
  /** Older dead letters that were added. */
  added: number;
  /** What is missing in the index, and why. The dead letters themselves are in their queue. */
  problems: string[];
}

/**
 * Adds the dead letters to the index that are older than it, after an upgrade. A login without the right to read them is no
 * error, because another login can add them later.
 *
 * @param url AMQP URL of the broker.
 * @param index the result of `applyTopology`.
 * @throws UnavailableError if the broker is unavailable.
 */
export async function completeDeadLetterIndex(
  url: string,
  index: DeclaredIndex | undefined,
  progress?: Progress,
): Promise<CompletedIndex> {
  if (index?.refusal !== undefined) {
    const how = 'so they are read from their queue';
    return {
      added: 0,
      problems: [`the broker refuses the index of the dead letters, ${how}: ${index.refusal}`],
    };
  }
  try {
    const older = await indexOlderDeadLetters(url, index, progress);
    return { added: older?.added ?? 0, problems: notIndexed(older?.failed ?? []) };
  } catch (error) {
    if (!isAboutRights(error)) throw error;
    const how = 'run warren dead-letters reindex with a login that may read them';
    return { added: 0, problems: [`older dead letters are not in the index: ${how} (${error.message})`] };
  }
}

function isAboutRights(error: unknown): error is WarrenError {
  if (error instanceof NoDeadLetterIndexError) return true;
  return error instanceof WarrenError && error.code === 'ERR_BROKER_REFUSED';
}

const maxNamed = 10;

/** Names the dead letters that cannot be published to the index; empty if there are none. */
export function notIndexed(ids: readonly string[]): string[] {
  if (ids.length === 0) return [];
  const named = ids.slice(0, maxNamed).map((id) => `"${id}"`);
  const more = ids.length > maxNamed ? ` and ${ids.length - maxNamed} more` : '';
  return [`${ids.length} dead letters cannot be published to the index: ${named.join(', ')}${more}`];
}
