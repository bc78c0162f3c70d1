import { describe, expect, it } from 'vitest';
import { Prefetch } from '../../../runtime/event-source/prefetch.ts';

const learned = (batchSize: number, calls: number, ms: number, bytes = 100) => {
  const prefetch = new Prefetch(batchSize);
  for (let call = 0; call < calls; call += 1) prefetch.learn(batchSize, ms, batchSize * bytes);
  return prefetch;
};

describe('prefetch', () => {
  it('the prefetch is two batches until calls were measured', () => {
    expect(learned(1, 0, 0).value).toBe(2);
    expect(learned(100, 9, 0.1).value).toBe(200);
  });

  it('the prefetch grows for a fast function, up to a limit', () => {
    expect(learned(1, 10, 0.1).value).toBe(300);
    expect(learned(1, 10, 25).value).toBe(10);
    expect(learned(100, 10, 1).value).toBe(400);
  });

  it('the prefetch stays at two batches for a slow function, so that other workers get messages too', () => {
    expect(learned(1, 100, 2000).value).toBe(2);
    expect(learned(10, 100, 5000).value).toBe(20);
  });

  it('the prefetch shrinks when a fast function becomes slow', () => {
    const prefetch = learned(1, 10, 0.1);
    let changes = 0;
    for (let call = 0; call < 100; call += 1) if (prefetch.learn(1, 1000, 100)) changes += 1;
    expect(prefetch.value).toBe(2);
    expect(changes).toBeLessThanOrEqual(3);
  });

  it('the prefetch does not change for small variations', () => {
    const prefetch = learned(1, 10, 5);
    expect(prefetch.value).toBe(50);
    const changes = Array.from({ length: 200 }, (_, call) => prefetch.learn(1, call % 2 ? 4 : 6, 100)).filter(
      Boolean,
    );
    expect(changes).toEqual([]);
  });

  it('concurrent consumers share the prefetch', () => {
    const alone = new Prefetch(1);
    const shared = new Prefetch(1, 20);
    for (let call = 0; call < 10; call += 1) {
      alone.learn(1, 0.1, 100);
      shared.learn(1, 0.1, 100);
    }
    expect(alone.value).toBe(300);
    expect(shared.value).toBe(15);
  });

  it('the prefetch is the number of messages that fit into 64 MB, and at least one', () => {
    expect(learned(100, 1, 1, 4_000_000).value).toBe(16);
    expect(learned(1, 10, 0.1, 1_000_000).value).toBe(64);
    expect(learned(10, 1, 1, 100_000_000).value).toBe(1);
  });

  it('concurrent consumers share the byte limit', () => {
    const shared = new Prefetch(10, 4);
    shared.learn(1, 1, 4_000_000);
    expect(shared.value).toBe(4);
  });

  it('the prefetch shrinks at once when large messages arrive, and grows again afterwards', () => {
    const prefetch = learned(1, 10, 0.1);
    expect(prefetch.value).toBe(300);
    expect(prefetch.learn(1, 0.1, 20_000_000)).toBe(true);
    expect(prefetch.value).toBe(3);
    for (let call = 0; call < 100; call += 1) prefetch.learn(1, 0.1, 100);
    expect(prefetch.value).toBeGreaterThan(200);
  });
});
