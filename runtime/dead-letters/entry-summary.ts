import type { DeadLetterFilter } from './filter.ts';

/** What dead letters of the same failure have in common. */
export interface Failure {
  queue: string;
  reason: string;
  /** The first line of the error. */
  error?: string | undefined;
  /** The first line of the error's stack in the project's own code. */
  place?: string | undefined;
}

/** What the index keeps of an entry in memory. */
export interface EntrySummary {
  /** Position in the index. */
  offset: number;
  /** Id of the dead letter. */
  id: string;
  /** Entries of the same failure have the same object. */
  failure: Failure;
  /** When the dead letter failed, in milliseconds since 1970; undefined if it does not state that. */
  failedAt?: number | undefined;
  /** Size of the body. */
  bytes: number;
}

export interface EntryFilter extends DeadLetterFilter {
  /** The whole first line of the error. */
  errorIs?: string | undefined;
  place?: string | undefined;
}

/** A part of the index. */
export interface EntryRange {
  /** Only entries behind this offset. */
  after?: number | undefined;
  /** Only entries before this offset. */
  before?: number | undefined;
  /** Whether the last entry comes first, default false. */
  newestFirst?: boolean | undefined;
}

/** A group of dead letters. Fields by which they are not grouped are missing. */
export interface EntryGroup extends Partial<Failure> {
  count: number;
  /** When the first and the last of them failed, in milliseconds since 1970. */
  firstSeen?: number | undefined;
  lastSeen?: number | undefined;
  /** Number of dead letters in each interval of time, if the caller asked for intervals. */
  counts?: number[];
}

/** Intervals of time of equal length; `from` and `to` are in milliseconds since 1970. */
export interface Intervals {
  from: number;
  to: number;
  number: number;
}

const allFields = ['queue', 'reason', 'error', 'place'] as const;

/**
 * Groups entries by fields of their failure.
 *
 * @param intervals for the counts over time of each group.
 * @returns the groups, the largest first.
 */
export function groupEntries(
  entries: Iterable<EntrySummary>,
  fields: readonly (keyof Failure)[] = allFields,
  intervals?: Intervals,
): EntryGroup[] {
  const groups = new Map<string, EntryGroup>();
  const ofFailure = new Map<Failure, EntryGroup>();
  const groupOf = (failure: Failure): EntryGroup => {
    const key = JSON.stringify(fields.map((name) => failure[name] ?? null));
    const group: EntryGroup = groups.get(key) ?? {
      ...Object.fromEntries(fields.map((name) => [name, failure[name]])),
      count: 0,
      ...(intervals && { counts: new Array<number>(intervals.number).fill(0) }),
    };
    groups.set(key, group);
    ofFailure.set(failure, group);
    return group;
  };
  for (const { failure, failedAt: at } of entries) {
    const group = ofFailure.get(failure) ?? groupOf(failure);
    group.count += 1;
    if (at === undefined) continue;
    group.firstSeen = Math.min(group.firstSeen ?? at, at);
    group.lastSeen = Math.max(group.lastSeen ?? at, at);
    if (intervals && group.counts) countIn(group.counts, intervals, at);
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
}

function countIn(counts: number[], { from, to, number }: Intervals, at: number): void {
  const interval = Math.floor(((at - from) / (to - from)) * number);
  if (interval >= 0 && interval < number) counts[interval] = (counts[interval] ?? 0) + 1;
}
