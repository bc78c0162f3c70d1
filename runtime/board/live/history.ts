import type { History, HistoryQueue, Live } from '../api-live-types.ts';

/** Length and step of each range in milliseconds. */
export const ranges = {
  hour: { lengthMs: 3_600_000, stepMs: 15_000 },
  day: { lengthMs: 86_400_000, stepMs: 300_000 },
} as const;

/** Queues of which it keeps curves; a day of one takes 12 KB. */
const maxQueues = 500;

/** Keeps the numbers of the queues for an hour and for a day, in memory. */
export class LiveHistory {
  readonly #kept = { hour: new Map<string, HistoryQueue>(), day: new Map<string, HistoryQueue>() };
  readonly #lastAt = { hour: Number.NEGATIVE_INFINITY, day: Number.NEGATIVE_INFINITY };

  /** Adds the numbers of now to each range whose step has passed. */
  add({ queues }: Pick<Live, 'queues'>, now = Date.now()): void {
    for (const range of ['hour', 'day'] as const) {
      const { lengthMs, stepMs } = ranges[range];
      // Samples come a little early or late.
      if (now - this.#lastAt[range] < stepMs * 0.9) continue;
      this.#lastAt[range] = now;
      const kept = this.#kept[range];
      for (const queue of queues) {
        const curve = kept.get(queue.name) ?? emptyCurve(queue.name);
        if (kept.size < maxQueues) kept.set(queue.name, curve);
        curve.at.push(now);
        curve.waiting.push(queue.waiting);
        curve.rate_in.push(queue.rate_in);
        curve.rate_out.push(queue.rate_out);
        curve.dead_letters.push(queue.dead_letters);
      }
      for (const [name, curve] of kept) {
        while ((curve.at[0] ?? now) < now - lengthMs) {
          for (const values of [curve.at, curve.waiting, curve.rate_in, curve.rate_out, curve.dead_letters])
            values.shift();
        }
        if (curve.at.length === 0) kept.delete(name);
      }
    }
  }

  read(range: 'hour' | 'day'): History {
    return { range, step_ms: ranges[range].stepMs, queues: [...this.#kept[range].values()] };
  }
}

const emptyCurve = (name: string): HistoryQueue => ({
  name,
  at: [],
  waiting: [],
  rate_in: [],
  rate_out: [],
  dead_letters: [],
});
