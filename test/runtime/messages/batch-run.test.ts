import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Deadlines } from '../../../runtime/base/deadlines.ts';
import { type BatchTime, runBatch } from '../../../runtime/messages/batch-run.ts';

const options = (ms: number, stuck: unknown[] = []) => ({
  concurrency: 3,
  ms,
  deadlines: new Deadlines<BatchTime>(),
  stuck: (error: unknown) => void stuck.push(error),
});

describe('runBatch', () => {
  it('each message runs once, in their order, and as many at a time as allowed', async () => {
    const items = Array.from({ length: 20 }, (_, index) => index);
    const begun: number[] = [];
    let [running, most] = [0, 0];
    const late = await runBatch(items, options(60_000), async (item) => {
      begun.push(item);
      running += 1;
      most = Math.max(most, running);
      // Some take longer than those behind them.
      await pause(item % 4);
      running -= 1;
    });
    expect({ late, begun, most }).toEqual({ late: [], begun: items, most: 3 });
  });

  it('messages that need no promise run at once', () => {
    const begun: number[] = [];
    void runBatch([1, 2, 3, 4, 5], options(60_000), (item) => void begun.push(item));
    expect(begun).toEqual([1, 2, 3, 4, 5]);
  });

  it('no messages are done at once', async () => {
    expect(await runBatch([], options(60_000), () => undefined)).toEqual([]);
  });

  it('what a message throws, at once or later, is reported, and the others run', async () => {
    const stuck: unknown[] = [];
    const done: number[] = [];
    const late = await runBatch([1, 2, 3, 4, 5], options(60_000, stuck), (item) => {
      if (item === 2) throw new Error('at once');
      if (item === 3) return Promise.reject(new Error('later'));
      done.push(item);
      return undefined;
    });
    expect({ late, done, stuck: stuck.map(String) }).toEqual({
      late: [],
      done: [1, 4, 5],
      stuck: ['Error: at once', 'Error: later'],
    });
  });

  it('when the time is over, those that are not done are late, and no other begins', async () => {
    const ends: (() => void)[] = [];
    const begun: number[] = [];
    const overdue: Promise<unknown>[] = [];
    const record = (ended: unknown) => void overdue.push(ended as Promise<unknown>);
    subscribe('warren:overdue-run', record);
    const times: BatchTime[] = [];
    const late = await runBatch([1, 2, 3, 4, 5, 6], options(100), (item, time) => {
      begun.push(item);
      times.push(time);
      return item === 2 ? Promise.resolve() : new Promise<void>((resolve) => ends.push(resolve));
    });
    unsubscribe('warren:overdue-run', record);
    expect({ late, begun }).toEqual({ late: [1, 3, 4, 5, 6], begun: [1, 2, 3, 4] });
    expect(times.map(({ isOver, signal }) => isOver && signal.aborted)).toEqual([true, true, true, true]);
    let isOver = false;
    void overdue[0]?.then(() => {
      isOver = true;
    });
    const [first, ...others] = ends;
    first?.();
    await pause(10);
    expect(isOver).toBe(false);
    for (const end of others) end();
    await overdue[0];
    expect(begun).toEqual([1, 2, 3, 4]);
  });
});
