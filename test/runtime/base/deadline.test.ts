import { getEventListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { doneWithin, withDeadline } from '../../../runtime/base/deadline.ts';

const never = new Promise<never>(() => undefined);
const lateError = new Error('late');
const late = () => lateError;

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((...settle) => {
    [resolve, reject] = settle;
  });
  return { promise, resolve, reject };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('withDeadline', () => {
  it('deadline: work in time returns its result and leaves no timer', async () => {
    expect(await withDeadline(Promise.resolve(7), { ms: 1000, late })).toBe(7);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('deadline: work that fails in time throws its own error and leaves no timer', async () => {
    const error = new Error('failed');
    await expect(withDeadline(Promise.reject(error), { ms: 1000, late })).rejects.toBe(error);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('deadline: late work throws the error that is created at the deadline, and not before', async () => {
    const create = vi.fn(late);
    const waiting = withDeadline(never, { ms: 1000, late: create });
    const failed = expect(waiting).rejects.toBe(lateError);
    await vi.advanceTimersByTimeAsync(999);
    expect(create).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await failed;
    expect(create).toHaveBeenCalledTimes(1);
  });

  it('deadline: an error of work that is already late is ignored', async () => {
    const { promise, reject } = deferred<void>();
    const failed = expect(withDeadline(promise, { ms: 10, late })).rejects.toBe(lateError);
    await vi.advanceTimersByTimeAsync(10);
    await failed;
    // An unhandled rejection would fail the test run.
    reject(new Error('too late'));
    await Promise.resolve();
  });

  it.each([undefined, Number.POSITIVE_INFINITY, 2 ** 31])(
    'deadline: with %s ms the wait has no limit',
    async (ms) => {
      const { promise, resolve } = deferred<string>();
      const waiting = withDeadline(promise, { ms, late });
      expect(vi.getTimerCount()).toBe(0);
      resolve('done');
      expect(await waiting).toBe('done');
    },
  );

  it('deadline: an abort ends the wait with the reason and leaves no timer', async () => {
    const abort = new AbortController();
    const reason = new Error('closed');
    const waiting = withDeadline(never, { ms: 1000, late, signal: abort.signal });
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('deadline: a signal that is already aborted ends the wait', async () => {
    const reason = new Error('closed');
    const signal = AbortSignal.abort(reason);
    await expect(withDeadline(never, { ms: 1000, late, signal })).rejects.toBe(reason);
  });

  it('deadline: work that fails in the same turn as the abort throws its own error', async () => {
    const abort = new AbortController();
    const { promise, reject } = deferred<void>();
    const waiting = withDeadline(promise, { ms: 1000, late, signal: abort.signal });
    abort.abort(new Error('closed'));
    const error = new Error('no such queue');
    reject(error);
    await expect(waiting).rejects.toBe(error);
  });

  it('deadline: a wait that ended has removed its listener from the signal', async () => {
    const { signal } = new AbortController();
    const waiting = withDeadline(Promise.resolve(), { ms: 1000, late, signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await waiting;
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});

describe('doneWithin', () => {
  it('drain: work in time returns true and leaves no timer', async () => {
    expect(await doneWithin(Promise.resolve(), 1000)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('drain: late work returns false', async () => {
    const waiting = doneWithin(never, 1000);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await waiting).toBe(false);
  });

  it('drain: without a limit the wait lasts until the work is done', async () => {
    vi.useRealTimers();
    expect(await doneWithin(pause(20))).toBe(true);
  });

  it('drain: work that fails in time throws its error', async () => {
    await expect(doneWithin(Promise.reject(lateError), 1000)).rejects.toBe(lateError);
  });
});
