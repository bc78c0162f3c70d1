import type { JobFilter } from '../../api-job-types.ts';
import type { Group, LetterSummary } from '../../api-types.ts';

/** Which dead letters a list shows. */
export interface ListFilter {
  queue?: string | undefined;
  reason?: string | undefined;
  error_is?: string | undefined;
  place?: string | undefined;
  /** A text in ids, errors, headers and bodies. */
  text?: string | undefined;
  /** Fields that these dead letters do not have. The API has no parameter for that, so the page leaves the others out. */
  without?: string | undefined;
}

const names = ['queue', 'reason', 'error_is', 'place', 'text', 'without'] as const;

/** Reads the filter from the address; undefined if the address has no list. */
export function filterOf(query: URLSearchParams): ListFilter | undefined {
  const given = names.flatMap((name) => {
    const value = query.get(name);
    return value ? [[name, value] as const] : [];
  });
  return given.length > 0 || query.has('all') ? Object.fromEntries(given) : undefined;
}

/** The parameters of a list's address. */
export function parametersOf(filter: ListFilter): Record<string, string | undefined> {
  return Object.keys(filter).length > 0 ? { ...filter } : { all: 'yes' };
}

/** The filter of a group. */
export function groupFilter({ queue, reason, error, place }: Group): ListFilter {
  const without = [...(error === undefined ? ['error'] : []), ...(place === undefined ? ['place'] : [])].join(
    ',',
  );
  return {
    queue,
    reason,
    ...(error !== undefined && { error_is: error }),
    ...(place !== undefined && { place }),
    ...(without && { without }),
  };
}

/** Whether the list is that of the group, maybe with a search. */
export function isGroup(filter: ListFilter | undefined, group: Group): boolean {
  if (!filter) return false;
  const own = groupFilter(group);
  return names.every((name) => name === 'text' || own[name] === filter[name]);
}

/** Whether the dead letters of a group are in a list without a search. */
export function includes({ without = '', ...filter }: ListFilter, group: Group): boolean {
  const { queue, reason, error_is: error, place } = filter;
  const given = { queue, reason, error, place };
  const fields = Object.keys(given) as (keyof typeof given)[];
  const isSame = fields.every((name) => given[name] === undefined || given[name] === group[name]);
  return (
    isSame && without.split(',').every((name) => !name || group[name as 'error' | 'place'] === undefined)
  );
}

/** The parameters of the API for a list. */
export function apiQuery({ without: _without, ...filter }: ListFilter): URLSearchParams {
  const given = Object.entries(filter).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return new URLSearchParams(given);
}

/** Whether a dead letter that the API selected is in the list. */
export function isIn({ without = '' }: ListFilter, { error, place }: LetterSummary): boolean {
  const fields = without.split(',');
  return (
    !(fields.includes('error') && error !== undefined) && !(fields.includes('place') && place !== undefined)
  );
}

/** The job's filter for a whole list; undefined if only positions can select it. */
export function jobFilter({ text, without, ...filter }: ListFilter): JobFilter | undefined {
  return text === undefined && without === undefined ? filter : undefined;
}
