import type { Group } from '../../api-types.ts';
import { count, deadLetters } from '../format.tsx';
import type { ListFilter } from './filter.ts';
import type { Loaded } from './load.ts';

interface ListedBy {
  filter: ListFilter;
  group: Group | undefined;
}

/** The title of a list. */
export function titleOf({ filter, group }: ListedBy): string {
  if (filter.text !== undefined) return `Search for “${filter.text}”`;
  if (group) return group.error ?? group.reason;
  return filter.error_is ?? filter.queue ?? 'All dead letters';
}

/** Which dead letters an action on a whole list means. */
export function wholeOf({ filter, group }: ListedBy): string {
  if (filter.text !== undefined) return `All that the search for “${filter.text}” has found.`;
  if (group) return `All of the queue ${group.queue} with the error “${group.error ?? group.reason}”.`;
  return filter.queue === undefined
    ? 'All dead letters of this virtual host.'
    : `All of the queue ${filter.queue}.`;
}

/** How many a list has, and how far it is loaded. */
export function statusOf(
  { letters, state }: Loaded,
  isSearch: boolean,
  expected: number | undefined,
): string {
  const number = letters.length;
  if (isSearch) return state === 'loading' ? `Searching, ${count(number)} found` : `${count(number)} found`;
  if (state === 'done' || expected === undefined || expected <= number) return deadLetters(number);
  return `${count(number)} of ${deadLetters(expected)}`;
}
