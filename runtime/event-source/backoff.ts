import { setTimeout as pauseFor } from 'node:timers/promises';

/** Doubles from `first` to `most` milliseconds, with jitter, so that many pollers don't come back at the same moment. */
export function backoff(tries: number, first: number, most: number): number {
  return Math.min(most, first * 2 ** (tries - 1)) * (0.8 + Math.random() * 0.4);
}

/** Resolves after so many milliseconds, or when it is called off. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // Called off: the pause is over, which is all that a stop asks of it.
  await pauseFor(ms, undefined, { signal }).catch(() => undefined);
}
