import { afterEach, describe, expect, it } from 'vitest';
import { Arrivals } from '../../../runtime/event-source/arrivals.ts';

describe('the arrival of what is read', () => {
  let arrivals: Arrivals | undefined;
  afterEach(() => arrivals?.close());
  const start = () => {
    arrivals = new Arrivals();
    return arrivals;
  };
  const block = (ms: number) => {
    const begun = performance.now();
    while (performance.now() - begun < ms);
    return begun;
  };

  it('is now as long as the event loop is free', async () => {
    const { earliest } = bound(start());
    await expect.poll(() => performance.now() - earliest(), { timeout: 10_000 }).toBeLessThan(5);
  });

  it('may be the beginning of a block that has just ended, before and after the timer of the loop', async () => {
    const { earliest } = bound(start());
    const begun = block(1000);
    expect(earliest()).toBeLessThanOrEqual(begun);
    const first = await new Promise<number>((resolve) => setImmediate(() => resolve(earliest())));
    expect(first).toBeLessThanOrEqual(begun);
    await expect.poll(() => performance.now() - earliest(), { timeout: 10_000 }).toBeLessThan(5);
  });
});

const bound = (arrivals: Arrivals) => ({ earliest: () => arrivals.earliest() });
