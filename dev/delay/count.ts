import type { Count } from '../faults/compare.ts';
import type { Arrival } from './consumer.ts';
import { arrivedAt, type Known, knownOf, startsOf } from './known.ts';
import type { Note, Planned } from './plan.ts';

/** When the broker was killed, and when it took messages again, in milliseconds since 1970. */
export interface Outage {
  from: number;
  until: number;
}

export interface Outcome {
  plan: readonly Planned[];
  notes: readonly Note[];
  arrivals: readonly Arrival[];
  outages: readonly Outage[];
  publisherKills: number;
  /** Milliseconds that a message may be late. */
  maxLateMs: number;
  /** Milliseconds after which the broker hands a message over again that the next queue did not take. */
  againMs: number;
  deadLetters: number;
  /** Messages that are still on the ladder. */
  left: number;
  /** The longest lateness of the control in a span of time. */
  worstIn: (from: number, until: number) => number;
}

export interface Counted {
  counts: Count[];
  /** Milliseconds of lateness of the messages that no outage touched, in ascending order. */
  lateness: number[];
}

/** Milliseconds after an outage in which the broker's queues find their leaders, and before it in which acknowledgements may be lost. */
const recoveryMs = 3000;

/** Compares the arrivals with the times at which the messages were due. */
export function count(outcome: Outcome): Counted {
  const { plan, outages, arrivals, publisherKills, maxLateMs, againMs, deadLetters, left, worstIn } = outcome;
  const known = knownOf(outcome.notes, arrivals);
  const problemsOf = (wrong: (each: Known) => string | undefined) =>
    [...known.values()].flatMap((each) => {
      const problem = wrong(each);
      return problem === undefined ? [] : [`${each.id}: ${problem}`];
    });
  const touching = (each: Known) =>
    outages.filter(({ from, until }) => !(from >= arrivedAt(each)) && until + recoveryMs > each.from);
  const lateBy = (each: Known) => arrivedAt(each) - each.due;
  const starvedBy = (each: Known) =>
    startsOf(each).reduce((sum, at) => sum + worstIn(at, at + lateBy(each)), 0);
  /** @param triesMs milliseconds for the further try of the broker after each outage. */
  const late = (touched: boolean, triesMs: number) => (each: Known) => {
    const all = touching(each);
    if (all.length > 0 !== touched || lateBy(each) <= maxLateMs) return undefined;
    // A message whose hand-over falls into an outage waits for the rest of its delay after it.
    const excused = all.reduce(
      (sum, { from, until }) => sum + until - from + recoveryMs + triesMs,
      starvedBy(each),
    );
    return lateBy(each) > maxLateMs + excused ? `late by ${lateBy(each)} ms` : undefined;
  };
  const ids = new Set(plan.map(({ id }) => id));
  const foreign = arrivals
    .filter(({ id }) => !ids.has(id))
    .map(({ id }) => `${id}: an id that no message has`);
  // The acknowledgement of a message that arrived just before an outage may not have reached the broker's disk.
  const unsettled = ({ arrivals: [first, ...again] }: Known) =>
    first !== undefined &&
    outages.some(
      ({ from }) => from >= first.at && from - recoveryMs < first.at && again.every(({ at }) => at > from),
    );
  const doubled = problemsOf((each) =>
    each.arrivals.length > 1 && each.published < 2 && touching(each).length === 0 && !unsettled(each)
      ? `arrived ${each.arrivals.length} times, published once`
      : undefined,
  );
  const further = [...known.values()].flatMap(({ arrivals: [first, ...again] }) =>
    again.map((each) =>
      each.redelivered ? 'redelivered' : each.publish === first?.publish ? 'copy' : 'published',
    ),
  );
  const counted = (what: string, which: (typeof further)[number]): Count => ({
    what,
    expected: 'any',
    got: further.filter((each) => each === which).length,
    problems: [],
  });
  const starved = [...known.values()].filter(
    (each) => touching(each).length === 0 && lateBy(each) > maxLateMs,
  );
  const calm = [...known.values()].filter((each) => touching(each).length === 0 && each.arrivals.length > 0);
  const again = [...known.values()].filter(({ published }) => published > 1).length;
  const none = (what: string, problems: string[]): Count => ({
    what,
    expected: 0,
    got: problems.length,
    problems,
  });
  const arrived = new Set(arrivals.map(({ id }) => id));
  return {
    lateness: calm.map(lateBy).sort((a, b) => a - b),
    counts: [
      {
        what: 'messages arrived',
        expected: plan.length,
        got: plan.filter(({ id }) => arrived.has(id)).length,
        problems: plan.filter(({ id }) => !arrived.has(id)).map(({ id }) => `missing: ${id}`),
      },
      none(
        'messages before they were due',
        problemsOf((each) => (lateBy(each) < 0 ? `${lateBy(each)} ms` : undefined)),
      ),
      none(`messages more than ${maxLateMs / 1000} s later than the control`, problemsOf(late(false, 0))),
      {
        what: `messages more than ${maxLateMs / 1000} s late, by a starved machine too`,
        expected: 'any',
        got: starved.length,
        problems: [],
      },
      // A message waits for the second time at most, because the timer may have begun just before it.
      none('messages later than an outage excuses', problemsOf(late(true, 2 * againMs))),
      {
        what: 'of those in time: handed over again by the broker after an outage',
        expected: 'any',
        got: problemsOf(late(true, 0)).length,
        problems: [],
      },
      none('messages doubled without a cause, or with another id', [...doubled, ...foreign]),
      counted('of further arrivals: redelivered by the broker', 'redelivered'),
      counted('published again by the sender', 'published'),
      counted('copies of one publish, which a worker drops', 'copy'),
      few('dead letters', deadLetters),
      few('messages left on the ladder', left),
      felt('messages that an outage touched', known.size - calm.length, outages.length),
      felt('messages published again', again, publisherKills),
    ],
  };
}

const few = (what: string, got: number): Count => ({
  what,
  expected: 0,
  got,
  problems: got === 0 ? [] : [`expected none, got ${got}`],
});

/** A course without an effect of its kills proves nothing. */
function felt(what: string, got: number, kills: number): Count {
  const problems = kills > 0 && got === 0 ? ['the kills had no effect on it'] : [];
  return { what, expected: kills > 0 ? 'some' : 'any', got, problems };
}
