import { describe, expect, it } from 'vitest';
import { Window } from '../../../runtime/amqp/window.ts';

/** Enters messages of the given sizes and records the index of each when it is admitted. */
const enter = (window: Window, sizes: number[]): number[] => {
  const admitted: number[] = [];
  sizes.forEach((bytes, index) => {
    const turn = window.enter(bytes);
    if (turn) void turn.then(() => admitted.push(index));
    else admitted.push(index);
  });
  return admitted;
};
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('Window', () => {
  it('window: messages above the limit wait and are admitted in order', async () => {
    const window = new Window({ messages: 2, bytes: 100 });
    const admitted = enter(window, [1, 1, 1, 1]);
    expect(admitted).toEqual([0, 1]);
    window.leave(1);
    await settled();
    expect(admitted).toEqual([0, 1, 2]);
  });

  it('window: bytes are limited, and a message above the limit is admitted alone', async () => {
    const window = new Window({ messages: 10, bytes: 100 });
    const admitted = enter(window, [60, 200, 1]);
    expect(admitted).toEqual([0]);
    window.leave(60);
    await settled();
    expect(admitted).toEqual([0, 1]);
    window.leave(200);
    await settled();
    expect(admitted).toEqual([0, 1, 2]);
  });

  it('window: no message is admitted between hold and release', async () => {
    const window = new Window({ messages: 10, bytes: 100 });
    window.hold();
    const admitted = enter(window, [1, 1]);
    expect(admitted).toEqual([]);
    window.release();
    await settled();
    expect(admitted).toEqual([0, 1]);
  });

  it('window: thousands of waiting messages are all admitted in order', async () => {
    const window = new Window({ messages: 1, bytes: 100 });
    const sizes = Array.from({ length: 3500 }, () => 1);
    const admitted = enter(window, sizes);
    for (const bytes of sizes) window.leave(bytes);
    await settled();
    expect(admitted).toEqual(sizes.map((_, index) => index));
  });
});
