/** The count of a rate limit in the memory of this process, by the same algorithm as `rate-limit.ts`. */
import type { Rate } from './rate.ts';

export interface LocalRate {
  /** @returns the seconds to wait; undefined if there is room, of which a share is used now. */
  take(userId: number): number | undefined;
  /** Blocks the user for these seconds, because the count of all instances has no room. */
  refuse(userId: number, seconds: number): void;
}

/**
 * Makes a count.
 *
 * @param options `maxUsers` is the number of remembered users, default 10000; the least recent is forgotten first. `now` returns
 *   milliseconds.
 */
export function createLocalRate(
  { count, seconds }: Rate,
  { maxUsers = 10_000, now = () => performance.now() } = {},
): LocalRate {
  const share = (seconds * 1000) / count;
  // Slightly more, as in the database.
  const limitMs = seconds * 1000 + share / 100;
  /** By user, the time at which no part of the limit is used any more. The most recent user is last. */
  const usedUntil = new Map<number, number>();
  const remember = (userId: number, until: number) => {
    usedUntil.delete(userId);
    usedUntil.set(userId, until);
    const [oldest] = usedUntil.keys();
    if (usedUntil.size > maxUsers && oldest !== undefined) usedUntil.delete(oldest);
  };
  return {
    take(userId) {
      const at = now();
      const used = Math.max(usedUntil.get(userId) ?? at, at);
      const over = used + share - at - limitMs;
      remember(userId, over > 0 ? used : used + share);
      return over > 0 ? over / 1000 : undefined;
    },
    refuse(userId, wait) {
      remember(userId, now() + wait * 1000 + limitMs - share);
    },
  };
}
