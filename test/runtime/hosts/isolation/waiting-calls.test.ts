import { stat } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { NotBegunError } from '../../../../runtime/event-source/invoke.ts';
import { readFrames, sendFrame } from '../../../../runtime/hosts/isolation/frames.ts';
import { OpenCalls } from '../../../../runtime/hosts/isolation/open-calls.ts';
import type { SentCall } from '../../../../runtime/hosts/isolation/protocol.ts';
import { WaitingCalls } from '../../../../runtime/hosts/isolation/waiting-calls.ts';
import { eventOf } from '../../../support/function-processes.ts';
import { socketPair } from '../../../support/socket-pair.ts';

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
      for (let turns = 0; turns < 5; turns += 1) await turn();
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

  it('calls that wait for nothing let the event loop read between them, so that those behind can be taken back', async () => {
    const begun: number[] = [];
    const waiting = new WaitingCalls(async ({ id }) => {
      begun.push(id);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      return true;
    });
    const recalled = await new Promise<number[]>((resolve) => {
      // As in the process of a function, a read has led to the first call, and the next one arrives during it.
      stat('.', () => {
        stat('.', () => resolve(waiting.recall()));
        for (let id = 0; id < 20; id += 1) waiting.take({ id, event: {}, lane: 7, ahead: id > 0 });
      });
    });
    expect(begun).toEqual([0]);
    expect(recalled).toEqual(Array.from({ length: 19 }, (_, index) => index + 1));
  });
});

describe('calls that a worker sends ahead', () => {
  it('calls that are taken back while the end in front of them is leaving have not begun, and the next one is free to', async () => {
    const { near, far, close } = await socketPair();
    const calls = new OpenCalls(near, 'work', () => undefined);
    const sent: Partial<SentCall>[] = [];
    readFrames(far, (call) => sent.push(call as SentCall));
    const first = calls.send(eventOf(1), { lane: 7 });
    const [second, third] = [2, 3].map((n) => calls.ahead(eventOf(n), 7)?.then(({ result }) => result));
    calls.recall(7);
    const fourth = calls.ahead(eventOf(4), 7);
    await expect.poll(() => sent).toHaveLength(5);
    const [a, b, c] = sent.map(({ id }) => id);
    sendFrame(far, { kind: 'done', id: a, lane: 7, ms: 1, next: true });
    sendFrame(far, { kind: 'recalled', ids: [b, c] });
    await first.result;
    await expect(second).rejects.toThrow(NotBegunError);
    await expect(third).rejects.toThrow(NotBegunError);
    await fourth;
    expect(calls.size).toBe(1);
    close();
  });
});
