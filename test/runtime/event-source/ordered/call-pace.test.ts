import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallPace } from '../../../../runtime/event-source/ordered/call-pace.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A pace after calls that took so many milliseconds. */
function paceAfter(callMs: number) {
  const onTime = vi.fn();
  const pace = new CallPace(onTime);
  const end = pace.begin();
  vi.advanceTimersByTime(callMs);
  end();
  return { pace, onTime };
}

describe('CallPace', () => {
  it('pace: messages that do not fill a call wait for three tenths of the time that a call takes', () => {
    const { pace, onTime } = paceAfter(20);
    expect(pace.waits()).toBe(true);
    vi.advanceTimersByTime(5);
    expect(onTime).not.toHaveBeenCalled();
    expect(pace.waits()).toBe(true);
    vi.advanceTimersByTime(1);
    expect(onTime).toHaveBeenCalledOnce();
    expect(pace.waits()).toBe(false);
  });

  it('pace: they wait for 50 ms if calls take long, and not at all before the first call has ended', () => {
    const { pace, onTime } = paceAfter(10_000);
    expect(pace.waits()).toBe(true);
    vi.advanceTimersByTime(50);
    expect(onTime).toHaveBeenCalledOnce();
    expect(new CallPace(onTime).waits()).toBe(false);
  });

  it('pace: a call that begins ends the wait', () => {
    const { pace, onTime } = paceAfter(20);
    expect(pace.waits()).toBe(true);
    pace.begin();
    vi.advanceTimersByTime(1000);
    expect(onTime).not.toHaveBeenCalled();
    expect(pace.waits()).toBe(true);
  });
});
