import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Deadlines } from '../../../runtime/base/deadlines.ts';

describe('deadlines of work in flight', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  const work = (ms: number, late: () => void) => ({ endsAt: performance.now() + ms, late });

  it('each work is late at its own deadline, in whatever order they began', () => {
    const deadlines = new Deadlines();
    const late: string[] = [];
    deadlines.add(work(200, () => late.push('second')));
    deadlines.add(work(100, () => late.push('first')));
    vi.advanceTimersByTime(101);
    expect(late).toEqual(['first']);
    vi.advanceTimersByTime(100);
    expect(late).toEqual(['first', 'second']);
  });

  it('work that is done is not late, and the timer of all serves the next one', () => {
    const deadlines = new Deadlines();
    const late: string[] = [];
    const done = work(100, () => late.push('done'));
    deadlines.add(done);
    deadlines.delete(done);
    vi.advanceTimersByTime(50);
    deadlines.add(work(100, () => late.push('next')));
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(99);
    expect(late).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(late).toEqual(['next']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a deadline beyond the longest timer of Node is kept', () => {
    const deadlines = new Deadlines();
    const late: string[] = [];
    deadlines.add(work(2 ** 31 + 1000, () => late.push('far')));
    vi.advanceTimersByTime(2 ** 31);
    expect(late).toEqual([]);
    vi.advanceTimersByTime(1001);
    expect(late).toEqual(['far']);
  });
});
