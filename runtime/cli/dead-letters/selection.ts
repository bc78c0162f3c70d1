import { InvalidArgumentError } from 'commander';
import { WarrenError } from '../../base/errors.ts';
import type { DeadLetterKey } from '../../dead-letters/dead-letters.ts';
import type { DeadLetterFilter } from '../../dead-letters/filter.ts';
import type { VhostsOptions } from '../vhosts.ts';

/** The options that select dead letters. */
export interface Selection extends VhostsOptions {
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

export function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a whole number');
}
