import type { Count } from '../faults/compare.ts';
import type { Arrival } from './consumer.ts';
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
  deadLetters: number;
  /** Messages that are still on the ladder. */
  left: number;
}

export interface Counted {
  counts: Count[];
  /** Milliseconds of lateness of the messages that no outage touched, in ascending order. */
  lateness: number[];
}

/** Milliseconds after an outage in which the broker's queues find their leaders, and before it in which acknowledgements may be lost. */
const recoveryMs = 3000;

/** What is known of a message. */
interface Known {
  id: string;
  from: number;
  due: number;
  published: number;
  arrivals: number[];
}

/** Compares the arrivals with the times at which the messages were due. */
export function count(outcome: Outcome): Counted {
  const { plan, outages, arrivals, publisherKills, maxLateMs, deadLetters, left } = outcome;
  const known = knownOf(outcome);
  const problemsOf = (wrong: (each: Known) => string | undefined) =>
    [...known.values()].flatMap((each) => {
      const problem = wrong(each);
      return problem === undefined ? [] : [`${each.id}: ${problem}`];
    });
  const touching = ({ from, arrivals: [at = Number.POSITIVE_INFINITY] }: Known) =>
    outages.filter((outage) => outage.from < at && outage.until + recoveryMs > from);
  const lateBy = ({ due, arrivals: [at = Number.NaN] }: Known) => at - due;
  const late = (touched: boolean) => (each: Known) => {
    const all = touching(each);
    if (all.length > 0 !== touched) return undefined;
    // A message whose hand-over falls into an outage waits for the rest of its delay after it.
    const excused = all.reduce((sum, { from, until }) => sum + until - from + recoveryMs, 0);
    return lateBy(each) > maxLateMs + excused ? `late by ${lateBy(each)} ms` : undefined;
  };
  const ids = new Set(plan.map(({ id }) => id));
  const foreign = arrivals
    .filter(({ id }) => !ids.has(id))
    .map(({ id }) => `${id}: an id that no message has`);
  // The acknowledgement of a message that arrived just before an outage may not have reached the broker's disk.
  const unsettled = ({ arrivals: [at = Number.NaN, ...again] }: Known) =>
    outages.some(({ from }) => from >= at && from - recoveryMs < at && again.every((next) => next > from));
  const doubled = problemsOf((each) =>
    each.arrivals.length > 1 && each.published < 2 && touching(each).length === 0 && !unsettled(each)
      ? `arrived ${each.arrivals.length} times, published once`
      : undefined,
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
      none(`messages more than ${maxLateMs / 1000} s late`, problemsOf(late(false))),
      none('messages later than an outage excuses', problemsOf(late(true))),
      none('messages doubled without a cause, or with another id', [...doubled, ...foreign]),
      few('dead letters', deadLetters),
      few('messages left on the ladder', left),
      felt('messages that an outage touched', known.size - calm.length, outages.length),
      felt('messages published again', again, outages.length + publisherKills),
    ],
  };
}

function knownOf({ notes, arrivals }: Outcome): Map<string, Known> {
  const known = new Map<string, Known>();
  for (const note of notes) {
    if ('due' in note) {
      const { id, due, from } = note;
      known.set(id, { id, due, from, published: 0, arrivals: [] });
    } else if ('published' in note) {
      const each = known.get(note.id);
      if (each) each.published += 1;
    }
  }
  for (const { id, at } of arrivals) known.get(id)?.arrivals.push(at);
  return known;
}

const few = (what: string, got: number): Count => ({
  ...{ what, expected: 0, got },
  problems: got === 0 ? [] : [`expected none, got ${got}`],
});

/** A course without an effect of its kills proves nothing. */
function felt(what: string, got: number, kills: number): Count {
  const problems = kills > 0 && got === 0 ? ['the kills had no effect on it'] : [];
  return { what, expected: kills > 0 ? 'some' : 'any', got, problems };
}
