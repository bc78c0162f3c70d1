import type { Deadlines, Limited } from '../base/deadlines.ts';
import { isPromise } from '../base/promises.ts';
import { recordOverdue } from './overdue-runs.ts';

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

/** The time that a call leaves for its messages. */
export class BatchTime implements Limited {
  readonly endsAt: number;
  late: () => void = () => undefined;
  #ending: AbortController | undefined;
  #isOver = false;

  /** @param ms Infinity without a limit. */
  constructor(ms: number) {
    this.endsAt = ms === Number.POSITIVE_INFINITY ? ms : performance.now() + ms;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Aborted when the time is over. Made at its first use: most handlers do not need it. */
  get signal(): AbortSignal {
    this.#ending ??= new AbortController();
    if (this.#isOver) this.#abort();
    return this.#ending.signal;
  }

  end(): void {
    this.#isOver = true;
    this.#abort();
  }

  #abort(): void {
    this.#ending?.abort(new Error('the time of the call is over'));
  }
}

export interface BatchRun {
  /** Number of messages at a time. */
  concurrency: number;
  /** Milliseconds, Infinity without a limit. */
  ms: number;
  /** Of all calls of the function. */
  deadlines: Deadlines<BatchTime>;
}

/**
 * Runs messages, several at a time, until all are done or the time is over.
 *
 * @param run handles one message; it must not throw.
 * @returns the messages that are not done. Their handlers may still run, and nothing waits for them.
 */
export async function runBatch<Item>(
  items: readonly Item[],
  { concurrency, ms, deadlines }: BatchRun,
  run: (item: Item, time: BatchTime) => Promise<void> | void,
): Promise<Item[]> {
  const open = new Set(items);
  const time = new BatchTime(ms);
  const waiting = items.values();
  const lane = async () => {
    for (const item of waiting) {
      if (time.isOver) return;
      const running = run(item, time);
      if (isPromise(running)) await running;
      open.delete(item);
    }
  };
  const count = Math.min(concurrency, items.length);
  const lanes = count === 1 ? lane() : Promise.all(Array.from({ length: count }, lane));
  if (ms === Number.POSITIVE_INFINITY) {
    await lanes;
    return [];
  }
  try {
    await new Promise<void>((resolve, reject) => {
      time.late = resolve;
      deadlines.add(time);
      lanes.then(() => resolve(), reject);
    });
  } finally {
    deadlines.delete(time);
    time.end();
  }
  if (open.size > 0) recordOverdue(lanes);
  return [...open];
}
