import { describe, expect, it } from 'vitest';
import type { Arrival } from '../../../dev/delay/consumer.ts';
import { count, type Outcome } from '../../../dev/delay/count.ts';

const due = 100_000;
/** A message that waited on the levels of 4 s and 1 s. */
const arrival = (own: Partial<Arrival> = {}): Arrival => ({
  id: 'a',
  at: due + 300,
  redelivered: false,
  publish: 'p-1',
  levels: [4, 2],
  ...own,
});
/** A course without an outage, a kill or anything left. */
const calm = {
  outages: [],
  publisherKills: 0,
  maxLateMs: 1000,
  againMs: 5000,
  deadLetters: 0,
  left: 0,
  worstIn: () => 0,
};
const problemsOf = (arrivals: readonly Arrival[], own: Partial<Outcome> = {}): string[] => {
  const { counts } = count({
    plan: [{ id: 'a', at: 0, delayMs: 5000, toQueue: true }],
    notes: [
      { id: 'a', due, from: due - 5000 },
      { id: 'a', published: due - 5000 },
    ],
    arrivals,
    ...calm,
    ...own,
  });
  return counts.filter(({ problems }) => problems.length > 0).map(({ what }) => what);
};
/** A control that was late in a span of time. */
const lateIn = (from: number, until: number, ms: number) => ({
  worstIn: (begin: number, end: number) => (begin <= until && end >= from ? ms : 0),
});
const late = 'messages more than 1 s later than the control';
const doubled = 'messages doubled without a cause, or with another id';

describe('the counts of the course of delays', () => {
  it('a message that arrives once and in time is right', () => {
    expect(problemsOf([arrival()])).toEqual([]);
  });

  it('a message that is early, late, missing or unknown is counted', () => {
    expect(problemsOf([arrival({ at: due - 1 })])).toEqual(['messages before they were due']);
    expect(problemsOf([arrival({ at: due + 1001 })])).toEqual([late]);
    expect(problemsOf([])).toEqual(['messages arrived']);
    expect(problemsOf([arrival(), arrival({ id: 'b' })])).toEqual([doubled]);
  });

  it('a control that was late when the message changed its level excuses as much for each time, and no other excuses it', () => {
    const lateBy = (ms: number) => [arrival({ at: due + ms })];
    // The level of 4 s ends 1 s before the message is due.
    const atLevel = lateIn(due - 1000, due - 900, 500);
    expect(problemsOf(lateBy(1500), atLevel)).toEqual([]);
    expect(problemsOf(lateBy(1501), atLevel)).toEqual([late]);
    const meanwhile = lateIn(due - 4000, due - 3000, 500);
    expect(problemsOf(lateBy(1001), meanwhile)).toEqual([late]);
  });

  it('a second arrival needs a cause', () => {
    const again = arrival({ at: due + 400 });
    expect(problemsOf([arrival(), again])).toEqual([doubled]);
    const killed = { outages: [{ from: due + 350, until: due + 380 }], publisherKills: 0 };
    expect(problemsOf([arrival(), again], killed)).not.toContain(doubled);
    const twice = [
      { id: 'a', due, from: due - 5000 },
      { id: 'a', published: due - 5000 },
      { id: 'a', published: due - 2000 },
    ];
    expect(problemsOf([arrival(), { ...again, publish: 'p-2' }], { notes: twice })).toEqual([]);
  });

  it('further arrivals are counted by their cause', () => {
    const notes = [1, 2, 3].map((n) => ({ id: 'a', published: due - n }));
    const { counts } = count({
      plan: [{ id: 'a', at: 0, delayMs: 5000, toQueue: true }],
      notes: [{ id: 'a', due, from: due - 5000 }, ...notes],
      arrivals: [
        arrival(),
        arrival({ redelivered: true }),
        arrival({ publish: 'p-2' }),
        arrival({ publish: 'p-2', redelivered: true }),
        arrival(),
      ],
      ...calm,
    });
    const got = (part: string) => counts.find(({ what }) => what.includes(part))?.got;
    expect([got('redelivered'), got('published again by the sender'), got('copies')]).toEqual([2, 1, 1]);
  });
});
