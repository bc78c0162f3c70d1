import { describe, expect, it } from 'vitest';
import { Prefetch } from '../../../shared/event-source/prefetch.ts';

const learned = (batchSize: number, calls: number, ms: number) => {
  const prefetch = new Prefetch(batchSize);
  for (let call = 0; call < calls; call += 1) prefetch.learn(batchSize, ms);
  return prefetch;
};

describe('prefetch', () => {
  it('is two batches until it knows the function', () => {
    expect(learned(1, 0, 0).value).toBe(2);
    expect(learned(100, 9, 0.1).value).toBe(200);
  });

  it('grows for a fast function, up to a limit', () => {
    expect(learned(1, 10, 0.1).value).toBe(300);
    expect(learned(1, 10, 25).value).toBe(10);
    expect(learned(100, 10, 1).value).toBe(400);
  });

  it('stays at two batches for a slow one, so that other workers have some to do too', () => {
    expect(learned(1, 100, 2000).value).toBe(2);
    expect(learned(10, 100, 5000).value).toBe(20);
  });

  it('shrinks when a fast function becomes slow', () => {
    const prefetch = learned(1, 10, 0.1);
    let changes = 0;
    for (let call = 0; call < 100; call += 1) if (prefetch.learn(1, 1000)) changes += 1;
    expect(prefetch.value).toBe(2);
    expect(changes).toBeLessThanOrEqual(3);
  });

  it('does not change for every whim', () => {
    const prefetch = learned(1, 10, 5);
    expect(prefetch.value).toBe(50);
    const changes = Array.from({ length: 200 }, (_, call) => prefetch.learn(1, call % 2 ? 4 : 6)).filter(
      Boolean,
    );
    expect(changes).toEqual([]);
  });

  it('is shared by consumers that work side by side', () => {
    const alone = new Prefetch(1);
    const shared = new Prefetch(1, 20);
    for (let call = 0; call < 10; call += 1) {
      alone.learn(1, 0.1);
      shared.learn(1, 0.1);
    }
    expect(alone.value).toBe(300);
    expect(shared.value).toBe(15);
  });
});
