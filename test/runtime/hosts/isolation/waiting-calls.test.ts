import { describe, expect, it } from 'vitest';
import type { SentCall } from '../../../../runtime/hosts/isolation/protocol.ts';
import { WaitingCalls } from '../../../../runtime/hosts/isolation/waiting-calls.ts';

/** Calls that end when a test ends them. */
function calls() {
  const begun: number[] = [];
  const ends = new Map<number, (next: boolean) => void>();
  const waiting = new WaitingCalls(({ id }) => {
    begun.push(id);
    return new Promise((end) => ends.set(id, end));
  });
  return {
    begun,
    waiting,
    take: (id: number, lane?: number, ahead = false) =>
      waiting.take({ id, event: {}, lane, ahead } satisfies SentCall),
    async end(id: number, next = true) {
      ends.get(id)?.(next);
      await Promise.resolve();
      await Promise.resolve();
    },
  };
}

describe('calls that wait in the process of a function', () => {
  it('a call begins at once, or when the one in front of it in its lane has ended', async () => {
    const { begun, take, end } = calls();
    take(1, 7);
    take(2, 7, true);
    take(3, 8);
    take(4);
    expect(begun).toEqual([1, 3, 4]);
    await end(1);
    expect(begun).toEqual([1, 3, 4, 2]);
    await end(2);
    take(5, 7, true);
    expect(begun.at(-1)).toBe(5);
  });

  it('behind a failed call none of its lane begins, also one that comes later, until the worker makes one again', async () => {
    const { begun, take, end } = calls();
    take(1, 7);
    take(2, 7, true);
    await end(1, false);
    take(3, 7, true);
    expect(begun).toEqual([1]);
    take(4, 7);
    take(5, 7, true);
    expect(begun).toEqual([1, 4]);
    await end(4);
    expect(begun).toEqual([1, 4, 5]);
  });

  it('a call that the worker sends before the end in front of it is known to have left begins alone', async () => {
    const { begun, take, end } = calls();
    take(1, 7);
    take(2, 7);
    take(3, 7, true);
    await end(1);
    expect(begun).toEqual([1, 2]);
    await end(2);
    expect(begun).toEqual([1, 2, 3]);
  });

  it('calls that are taken back do not begin, and neither does any after an error that nothing has caught', async () => {
    const { begun, waiting, take, end } = calls();
    take(1, 7);
    take(2, 7, true);
    take(3, 8);
    take(4, 8, true);
    expect(waiting.recall(7)).toEqual([2]);
    expect(waiting.recall()).toEqual([4]);
    take(5, 7, true);
    waiting.close();
    await end(1);
    expect(begun).toEqual([1, 3]);
  });
});
