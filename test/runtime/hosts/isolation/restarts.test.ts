import { expect, it } from 'vitest';
import { Restarts } from '../../../../runtime/hosts/isolation/restarts.ts';

const lives = (restarts: Restarts, count: number, life: { ageMs: number; hadCalls: boolean }) =>
  Array.from({ length: count }, () => restarts.ended(life));

it('another process follows a healthy one at once', () => {
  const restarts = new Restarts();
  lives(restarts, 5, { ageMs: 100, hadCalls: false });
  expect(restarts.ended({ ageMs: 10_000, hadCalls: false })).toBe(0);
  expect(restarts.isBroken).toBe(false);
});

it('the pauses grow to a second if calls end the processes, which is never the fault of the function', () => {
  const restarts = new Restarts();
  const pauses = lives(restarts, 12, { ageMs: 100, hadCalls: true });
  expect(pauses[0]).toBeLessThanOrEqual(60);
  expect(pauses[3]).toBeGreaterThan(pauses[0] as number);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(1200);
  expect([restarts.isBroken, restarts.isOwnFault]).toEqual([false, false]);
});

it('the pauses grow to 30 s if processes end without a call, and the second such end in a row shows that the function is broken', () => {
  const restarts = new Restarts();
  restarts.ended({ ageMs: 100, hadCalls: false });
  expect([restarts.isBroken, restarts.isOwnFault]).toEqual([false, true]);
  restarts.ended({ ageMs: 100, hadCalls: false });
  expect(restarts.isBroken).toBe(true);
  const pauses = lives(restarts, 12, { ageMs: 100, hadCalls: false });
  expect(pauses.at(-1)).toBeGreaterThan(20_000);
  restarts.ended({ ageMs: 100, hadCalls: true });
  expect(restarts.isBroken).toBe(false);
});
