import { describe, expect, it } from 'vitest';
import { Handovers } from '../../../../runtime/event-source/ordered/handovers.ts';

describe('Handovers', () => {
  it('orderBy: a partition that comes back at once is handed over less and less often, at most every half hour', () => {
    const handovers = new Handovers();
    const times: number[] = [];
    for (let now = 0; now < 24 * 3_600_000; now += 500) if (handovers.take(now)) times.push(now);
    expect(times.slice(0, 5)).toEqual([0, 2000, 6000, 14_000, 30_000]);
    expect(times.length).toBeLessThan(60);
  });

  it('orderBy: a partition that stayed for a while is handed over at once', () => {
    const handovers = new Handovers();
    expect([0, 2000, 6000].map((now) => handovers.take(now))).toEqual([true, true, true]);
    expect(handovers.take(30_000)).toBe(true);
    expect(handovers.take(31_000)).toBe(false);
    expect(handovers.take(32_000)).toBe(true);
  });
});
