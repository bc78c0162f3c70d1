import { InvalidArgumentError } from 'commander';
import { WarrenError } from '../../base/errors.ts';
import { escapeControls } from '../../base/visible.ts';
import type { DeadLetterKey } from '../../dead-letters/dead-letters.ts';
import { NoDeadLetterIndexError } from '../../dead-letters/entries.ts';
import type { DeadLetterFilter } from '../../dead-letters/filter.ts';
import type { Progress } from '../../dead-letters/take.ts';

/** The options that select dead letters. */
export interface Selection {
  queue?: string;
  reason?: string;
  error?: string;
  all?: boolean;
}

/**
 * Returns the filter of a command that changes something.
 *
 * @throws WarrenError ERR_CONFIG if the selection is missing or contradicts itself.
 */
export function selection(
  ids: readonly string[],
  { queue, reason, error, all }: Selection,
): DeadLetterFilter {
  if (ids.length === 0 && queue === undefined && error === undefined && !all) {
    throw new WarrenError('ERR_CONFIG', 'which ones? Name ids, --queue <name>, --error <text> or --all');
  }
  if (all && (ids.length > 0 || queue !== undefined)) {
    throw new WarrenError('ERR_CONFIG', '--all means all: leave it out, or the ids and --queue');
  }
  return { id: ids.length > 0 ? ids : undefined, queue, reason, error };
}

/** @throws WarrenError ERR_CONFIG if an id was not found. */
export function requireAll(ids: readonly string[], found: readonly DeadLetterKey[]): void {
  const known = new Set(found.map(({ id }) => id));
  const unknown = ids.filter((id) => !known.has(id));
  if (unknown.length > 0) throw missing(unknown);
}

export function missing(ids: readonly string[]): WarrenError {
  const names = ids.map((id) => `"${id}"`).join(', ');
  return new WarrenError('ERR_CONFIG', `there is no dead letter with id ${names}`);
}

/** Reads from the index, or from the queue if there is no index, which is reported. */
export async function indexedOr<T>(fromIndex: () => Promise<T>, fromQueue: () => Promise<T>): Promise<T> {
  try {
    return await fromIndex();
  } catch (error) {
    if (!(error instanceof NoDeadLetterIndexError)) throw error;
    warn(`${error.message}: reading their queue, which counts a delivery of each`);
    return fromQueue();
  }
}

export function warn(text: string): void {
  console.error(escapeControls(`warren: ${text}`));
}

const progressMs = 2000;

/** Returns a function that reports a text on stderr every two seconds, so that a quick command prints none. */
export function everyTwoSeconds(): (text: () => string) => void {
  let saidAt = Date.now();
  return (text) => {
    if (Date.now() - saidAt < progressMs) return;
    saidAt = Date.now();
    console.error(text());
  };
}

/** Reports the progress of a command that works on the queue. */
export function reporter(): Progress {
  const report = everyTwoSeconds();
  return (looked, total, meant) =>
    report(() => `looked at ${looked} of ${total}, ${meant} of them were meant`);
}

export function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a whole number');
}
