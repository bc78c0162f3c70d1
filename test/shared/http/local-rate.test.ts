import { expect, it } from 'vitest';
import { createLocalRate } from '../../../shared/http/local-rate.ts';

const at = (rate: { count: number; seconds: number }, mostUsers = 100) => {
  const clock = { ms: 5000 };
  return { clock, local: createLocalRate(rate, { mostUsers, now: () => clock.ms }) };
};

it('a rate allows its count, at once or spread, and returns the seconds until there is room', () => {
  const { clock, local } = at({ count: 3, seconds: 30 });
  expect([1, 1, 1].map((user) => local.take(user))).toEqual([undefined, undefined, undefined]);
  const wait = local.take(1) as number;
  expect(wait).toBeCloseTo(9.9);
  clock.ms += wait * 1000;
  expect(local.take(1)).toBeUndefined();
  expect(local.take(1)).toBeGreaterThan(9);
  clock.ms += 60_000;
  expect([1, 1, 1].map((user) => local.take(user))).toEqual([undefined, undefined, undefined]);
});

it('refuses for as long as all instances together have no room', () => {
  const { clock, local } = at({ count: 3, seconds: 30 });
  local.refuse(1, 20);
  expect(local.take(1)).toBeCloseTo(20);
  clock.ms += 20_000;
  expect(local.take(1)).toBeUndefined();
  expect(local.take(1)).toBeGreaterThan(9);
});

it('remembers so many users, and forgets first who was away for longest', () => {
  const { local } = at({ count: 1, seconds: 30 }, 2);
  local.take(1);
  local.take(2);
  local.take(1);
  local.take(3);
  expect(local.take(1)).toBeGreaterThan(0);
  expect(local.take(2)).toBeUndefined();
});
