import { setTimeout as pause } from 'node:timers/promises';

/** A broken course would wait for ever. */
const patienceMs = 20_000;

/** Waits until a condition holds. After some time the course goes on without it: the counts show what is missing. */
export async function inTime(condition: () => Promise<boolean>): Promise<void> {
  const until = Date.now() + patienceMs;
  while (!(await condition()) && Date.now() < until) await pause(50);
}
