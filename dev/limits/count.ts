import type { RateLimit } from '../../runtime/topology/token-names.ts';
import { type Count, compare } from '../faults/compare.ts';
import type { Text } from './messages.ts';
import type { Note } from './notes.ts';

/** What a course has left. */
export interface Outcome {
  notes: readonly Note[];
  texts: readonly Text[];
  limit: RateLimit;
  /** When the messages were published, in milliseconds since 1970. */
  startedAt: number;
  /** Processes that were killed. */
  killed: readonly number[];
  /** How the workers ended that were asked to. */
  endings: readonly string[];
  /** Messages that are left in the queue, dead letters, and tokens in their queues. */
  left: number;
  deadLetters: number;
  tokens: number;
}

/** A thousandth of a time, for clocks that run differently. */
const clocks = 0.999;
/** Part of a period or a rate that is missed by delays. */
const tolerance = 0.05;

/** Counts messages above the limit, and what is left. */
export function count({ notes, texts, limit, startedAt, killed, endings, ...left }: Outcome): Count[] {
  const done = notes.filter(({ step }) => step === 'done').map(({ n }) => `text ${n}`);
  const begun = notes.filter(({ step }) => step === 'begun').map(({ at }) => at);
  const killedCalls = openCalls(notes, killed);
  const again = done.length - new Set(done).size;
  const allowedAgain = killed.length > 0 ? 'some' : 0;
  const wrongAgain = killed.length > 0 || again === 0 ? [] : [`${again} messages`];
  return [
    compare('messages done', names(texts), [...new Set(done)]),
    { what: 'messages done again', expected: allowedAgain, got: again, problems: wrongAgain },
    counted('messages that waited as retries', 0, retried(notes, texts)),
    counted('messages before the limit allows them', 0, early(begun, limit, startedAt)),
    {
      what: 'calls that a kill has ended',
      expected: allowedAgain,
      got: killedCalls,
      problems: killed.length > 0 && killedCalls === 0 ? ['no worker was killed during a call'] : [],
    },
    counted('messages in the queue', 0, left.left === 0 ? [] : [`${left.left} messages`]),
    counted('dead letters', 0, left.deadLetters === 0 ? [] : [`${left.deadLetters} dead letters`]),
    {
      what: 'tokens',
      expected: limit.count,
      got: left.tokens,
      problems: left.tokens === limit.count ? [] : [`${left.tokens} tokens`],
    },
    compare(
      'workers ended in order',
      [],
      endings.filter((how) => how !== 'exit code 0'),
    ),
  ];
}

/** Counts by the clock, which are right only on a machine that keeps up: the most messages in a period, and the rate. */
export function countTimes({ notes, limit }: Pick<Outcome, 'notes' | 'limit'>): Count[] {
  const begun = notes.filter(({ step }) => step === 'begun').map(({ at }) => at);
  const { count: most, periodMs } = limit;
  const excess = begun.filter((at, index) => {
    const before = begun[index - most];
    return before !== undefined && at - before < periodMs * (1 - tolerance);
  });
  const last = (begun.at(-1) ?? 0) - (begun[0] ?? 0);
  const rate = (Math.floor((begun.length - 1) / most) * periodMs) / last;
  const percent = `${Math.round(rate * 1000) / 10} %`;
  return [
    counted(
      'messages above the limit in 0.95 of a period',
      0,
      excess.map((at) => `at ${at}`),
    ),
    {
      what: 'rate, of that of the limit',
      expected: 'at least 95 %',
      got: percent,
      problems: rate >= 1 - tolerance ? [] : [`${percent} of the rate`],
    },
  ];
}

const names = (texts: readonly Text[]): string[] => texts.map(({ n }) => `text ${n}`);

const counted = (what: string, expected: number, problems: string[]): Count => {
  return { what, expected, got: expected + problems.length, problems };
};

/** Messages whose attempts count more failures than they had. */
function retried(notes: readonly Note[], texts: readonly Text[]): string[] {
  const failures = new Map(texts.map((text) => [text.n, text.failures]));
  return notes
    .filter(({ step, n, attempt }) => step === 'begun' && attempt > (failures.get(n) ?? 0) + 1)
    .map(({ n, attempt }) => `text ${n} at attempt ${attempt}`);
}

/**
 * Messages that began too early. Each token is used at most once before a period is over, twice before two are, and so on, however slow
 * the machine is.
 */
function early(begun: readonly number[], { count: most, periodMs }: RateLimit, startedAt: number): string[] {
  return begun.flatMap((at, index) => {
    const earliest = Math.floor(index / most) * periodMs * clocks;
    return at - startedAt < earliest ? [`message ${index + 1} after ${at - startedAt} ms`] : [];
  });
}

/** Number of calls of workers that have begun and not ended. */
export function openCalls(notes: readonly Note[], workers: readonly number[]): number {
  const calls = new Set<string>();
  for (const { step, worker, n } of notes) {
    if (!workers.includes(worker)) continue;
    if (step === 'begun') calls.add(`${worker} ${n}`);
    else calls.delete(`${worker} ${n}`);
  }
  return calls.size;
}
