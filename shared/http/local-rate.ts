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
 * @param options `mostUsers` are remembered, default 10000: who was not seen for longest is forgotten first. `now` in
 *   milliseconds.
 */
export function createLocalRate(
  { count, seconds }: Rate,
  { mostUsers = 10_000, now = () => performance.now() } = {},
): LocalRate {
  const share = (seconds * 1000) / count;
  // A little more, as in the database.
  const most = seconds * 1000 + share / 100;
  /** When nothing is used any more; the user seen last is the last one. */
  const usedUntil = new Map<number, number>();
  const remember = (userId: number, until: number) => {
    usedUntil.delete(userId);
    usedUntil.set(userId, until);
    const [oldest] = usedUntil.keys();
    if (usedUntil.size > mostUsers && oldest !== undefined) usedUntil.delete(oldest);
  };
  return {
    take(userId) {
      const at = now();
      const used = Math.max(usedUntil.get(userId) ?? at, at);
      const over = used + share - at - most;
      remember(userId, over > 0 ? used : used + share);
      return over > 0 ? over / 1000 : undefined;
    },
    refuse(userId, wait) {
      remember(userId, now() + wait * 1000 + most - share);
    },
  };
}
