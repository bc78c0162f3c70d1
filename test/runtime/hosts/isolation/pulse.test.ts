import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Pulse } from '../../../../runtime/hosts/isolation/pulse.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

it('a process that has just sent a message is not asked for another', async () => {
  const ask = vi.fn();
  const pulse = new Pulse(ask);
  pulse.heard();
  await pulse.turns();
  expect(ask).not.toHaveBeenCalled();
});

it.each([
  ['a call was sent 20 ms ago', 20, true],
  ['it had nothing to do for 250 ms', 250, false],
])(
  'a silent process is asked once if %s, and all who wait learn of its answer',
  async (_what, ms, hasCall) => {
    const ask = vi.fn();
    const pulse = new Pulse(ask);
    if (hasCall) pulse.sent();
    vi.advanceTimersByTime(ms - 1);
    expect(pulse.isFresh).toBe(true);
    vi.advanceTimersByTime(1);
    expect(pulse.isFresh).toBe(false);
    const answers = Promise.all([pulse.turns(), pulse.turns()]);
    expect(ask).toHaveBeenCalledTimes(1);
    pulse.heard();
    await answers;
    expect(pulse.isFresh).toBe(true);
  },
);
