import { describe, expect, it } from 'vitest';
import { Offsets } from '../../../runtime/dead-letters/offsets.ts';

describe('Offsets', () => {
  it('offsets: ranges in any order, with overlaps, are joined', () => {
    const set = new Offsets();
    for (const [first, last] of [
      [7, 9],
      [0, 1],
      [2, 2],
      [8, 12],
      [20, 20],
    ] as const)
      set.add(first, last);
    expect(set.ranges()).toEqual([
      [0, 2],
      [7, 12],
      [20, 20],
    ]);
    expect(set.firstMissing).toBe(3);
    const there = Array.from({ length: 22 }, (_, offset) => offset).filter((offset) => set.has(offset));
    expect(there).toEqual([0, 1, 2, 7, 8, 9, 10, 11, 12, 20]);
  });

  it('offsets: those that follow each other need one range', () => {
    const set = new Offsets();
    for (let offset = 0; offset < 1000; offset += 1) set.add(offset);
    expect(set.ranges()).toEqual([[0, 999]]);
  });

  it('offsets: none has no member, and the first missing one is 0', () => {
    const set = new Offsets();
    expect([set.has(0), set.firstMissing, set.ranges()]).toEqual([false, 0, []]);
    set.add(1);
    expect([set.has(1), set.firstMissing]).toEqual([true, 0]);
  });
});
