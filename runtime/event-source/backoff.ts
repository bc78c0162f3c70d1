import { setTimeout as pauseFor } from 'node:timers/promises';

/** Doubles from `first` to `max` milliseconds, with jitter, so that many pollers do not return at the same moment. */
export function backoff(tries: number, first: number, max: number): number {
  return Math.min(max, first * 2 ** (tries - 1)) * (0.8 + Math.random() * 0.4);
}

/** Resolves after `ms` milliseconds, or when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // An abort only ends the pause; it is not an error.
  await pauseFor(ms, undefined, { signal }).catch(() => undefined);
}
