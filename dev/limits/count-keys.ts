import type { RateLimit } from '../../runtime/topology/token-names.ts';
import { type Count, compare } from '../faults/compare.ts';
import type { KeyedText } from './messages.ts';
import type { Note } from './notes.ts';

/** What a course with limits for each key has left. */
export interface KeysOutcome {
  notes: readonly Note[];
  texts: readonly KeyedText[];
  limit: RateLimit;
  concurrency: number;
  /** When the workers were started, in milliseconds since 1970. */
  startedAt: number;
  /** Processes that were killed. */
  killed: readonly number[];
  endings: readonly string[];
  /** Messages that are left in the partitions, and dead letters. */
  left: number;
  deadLetters: number;
}

/** A thousandth of a time, for clocks that run differently. */
const clocks = 0.999;

/** Counts messages above the limits of their keys, and what is left. */
export function countKeys(outcome: KeysOutcome): Count[] {
  const { notes, texts, killed, endings, left, deadLetters } = outcome;
  const done = notes.filter(({ step }) => step === 'done').map(({ n }) => `text ${n}`);
  const again = done.length - new Set(done).size;
  return [
    compare(
      'messages done',
      texts.map(({ n }) => `text ${n}`),
      [...new Set(done)],
    ),
    {
      what: 'messages done again',
      expected: killed.length > 0 ? 'some' : 0,
      got: again,
      problems: killed.length > 0 || again === 0 ? [] : [`${again} messages`],
    },
    none('messages before the limit of their key allows them', early(outcome)),
    none('messages above the concurrency of their key', beside(outcome)),
    none('messages in the queue', left === 0 ? [] : [`${left} messages`]),
    none('dead letters', deadLetters === 0 ? [] : [`${deadLetters} dead letters`]),
    none(
      'workers that did not end in order',
      endings.filter((how) => how !== 'exit code 0'),
    ),
  ];
}

/** Milliseconds of a few messages of a key. */
export interface ShareTimes {
  /** While no other messages wait. */
  alone: number;
  /** Published at once after many of other keys. */
  behind: number;
  /** Published when those were moved aside. */
  beside: number;
  /** Number of the others. */
  others: number;
}

/** Milliseconds in which a message of another key is moved aside, at most: it was 0.07 to 0.5 on a machine with other work. */
const asideMs = 0.5;

/**
 * Compares the time of a few messages beside many of other keys with their time alone. Messages that were published just before them
 * have to be moved aside first.
 */
export function countShares({ alone, behind, beside, others }: ShareTimes): Count[] {
  const counted = (where: string, got: number, most: number, why: string): Count => ({
    what: `milliseconds of ten messages ${where}`,
    expected: `at most ${most}: twice ${alone} alone${why}`,
    got,
    problems: got <= most ? [] : [`${got} ms`],
  });
  const most = 2 * alone;
  return [
    counted('beside many that wait aside', beside, most, ''),
    counted('just behind many others', behind, most + asideMs * others, `, and ${asideMs} for each other`),
  ];
}

const none = (what: string, problems: string[]): Count => {
  return { what, expected: 0, got: problems.length, problems };
};

/** A worker waits for a period before the first messages, and each period has at most the number of the limit. */
function early({ notes, texts, limit, startedAt }: KeysOutcome): string[] {
  const keys = keysOf(texts);
  const begun = new Map<string, number>();
  return notes.flatMap(({ step, n, at }) => {
    if (step !== 'begun') return [];
    const key = keys.get(n) ?? '';
    const index = begun.get(key) ?? 0;
    begun.set(key, index + 1);
    const earliest = (Math.floor(index / limit.count) + 1) * limit.periodMs * clocks;
    return at - startedAt < earliest ? [`message ${index + 1} of ${key} after ${at - startedAt} ms`] : [];
  });
}

/** Calls of a key that are open when another one begins. The process of a killed worker may end its calls later. */
function beside({ notes, texts, concurrency, killed }: KeysOutcome): string[] {
  const keys = keysOf(texts);
  const open = new Map<string, { n: number; worker: number }[]>();
  return notes.flatMap(({ step, n, worker }) => {
    const key = keys.get(n) ?? '';
    const others = (open.get(key) ?? []).filter((each) => each.n !== n || each.worker !== worker);
    open.set(key, step === 'begun' ? [...others, { n, worker }] : others);
    if (step !== 'begun') return [];
    const counted = others.filter((each) => each.worker === worker || !killed.includes(each.worker));
    return counted.length >= concurrency ? [`text ${n} of ${key} beside ${counted.length}`] : [];
  });
}

const keysOf = (texts: readonly KeyedText[]): Map<number, string> =>
  new Map(texts.map(({ n, tenant }) => [n, tenant]));
