import { recordOverdue } from './overdue-runs.ts';

/** The time that a call leaves for its messages, and the signal that ends with it. */
export interface BatchTime {
  /** Aborted when the time is over. */
  signal: AbortSignal;
  /** Milliseconds, Infinity without a limit. */
  ms: number;
}

/** A part of a call's time that is kept for verdicts and copies, at least and at most, in milliseconds. */
const [minReserveMs, maxReserveMs] = [50, 3000];

/**
 * The time that messages may take in a call.
 *
 * @param remainingMs of the call; undefined or 0 without a limit.
 */
export function timeForMessages(remainingMs: number | undefined): number {
  if (!remainingMs) return Number.POSITIVE_INFINITY;
  return remainingMs - Math.min(maxReserveMs, Math.max(minReserveMs, remainingMs / 10));
}

/**
 * Runs messages, several at a time, until all are done or the time is over.
 *
 * @param run handles one message; it must not throw.
 * @returns the messages that are not done. Their handlers may still run, and nothing waits for them.
 */
export async function runBatch<Item>(
  items: readonly Item[],
  { concurrency, ms }: { concurrency: number; ms: number },
  run: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<Item[]> {
  const open = new Set(items);
  const ending = new AbortController();
  const waiting = items.values();
  const lane = async () => {
    for (const item of waiting) {
      if (ending.signal.aborted) return;
      await run(item, ending.signal);
      open.delete(item);
    }
  };
  const lanes = Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, lane));
  if (ms === Number.POSITIVE_INFINITY) {
    await lanes;
    return [];
  }
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([lanes, over]);
  clearTimeout(timer);
  ending.abort(new Error('the time of the call is over'));
  if (open.size > 0) recordOverdue(lanes);
  return [...open];
}
