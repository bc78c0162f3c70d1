import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds without progress after which a course goes on: the counts show what is missing. */
const patienceMs = 20_000;

/**
 * Waits until a number that grows is reached, or does not grow any more.
 *
 * @param everyMs milliseconds between two readings, default 100.
 */
export async function reached(wanted: number, read: () => Promise<number>, everyMs = 100): Promise<void> {
  let [latest, since] = [-1, Date.now()];
  while (Date.now() - since < patienceMs) {
    const now = await read();
    if (now >= wanted) return;
    if (now > latest) [latest, since] = [now, Date.now()];
    await pause(everyMs);
  }
}
