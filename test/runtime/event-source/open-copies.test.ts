import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { OpenCopies } from '../../../runtime/event-source/open-copies.ts';

describe('open copies', () => {
  const gate = () => {
    let end: (error?: Error) => void = () => undefined;
    const ended = new Promise<void>((resolve, reject) => {
      end = (error) => (error ? reject(error) : resolve());
    });
    return { ended, end };
  };

  it('messages wait while a hundred copies are open, and until one of these has ended', async () => {
    const copies = new OpenCopies(new AbortController().signal);
    const gates = Array.from({ length: 100 }, gate);
    for (const { ended } of gates.slice(1)) copies.add(ended);
    await copies.room();
    copies.add((gates[0] as ReturnType<typeof gate>).ended);
    let hasRoom = false;
    const room = copies.room().then(() => {
      hasRoom = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([hasRoom, copies.size]).toEqual([false, 100]);
    gates[7]?.end(new Error('a copy that cannot be encoded'));
    await room;
    expect(copies.size).toBe(99);
  });

  it('leave ends the wait of all copies, and resolves when the last of them has ended', async () => {
    const copies = new OpenCopies(new AbortController().signal);
    const { ended, end } = gate();
    copies.add(ended);
    copies.ended.addEventListener('abort', () => setImmediate(end));
    expect(copies.isLeaving).toBe(false);
    await copies.leave();
    expect([copies.isLeaving, copies.size]).toEqual([true, 0]);
  });

  it('leave ends their signal, and the subscription that goes on keeps nothing of it', async () => {
    const { signal } = new AbortController();
    const copies = new OpenCopies(signal);
    await copies.leave();
    expect([copies.ended.aborted, getEventListeners(signal, 'abort')]).toEqual([true, []]);
  });
});
