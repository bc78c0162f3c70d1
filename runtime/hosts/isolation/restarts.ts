import { backoff } from '../../event-source/backoff.ts';

/** How a process has lived until it ended by itself. */
export interface PastLife {
  /** Milliseconds since it was started. */
  ageMs: number;
  /** Whether it had calls, each of which may have ended it. */
  hadCalls: boolean;
}

/** Milliseconds after which a process counts as healthy, so that another follows it at once. */
const healthyMs = 10_000;
/** Milliseconds before another process: the first pause, and the longest if calls ended the processes or they end by themselves. */
const pauseMs = { first: 50, calls: 1000, own: 30_000 };

/** Decides when another process follows one that has ended. */
export class Restarts {
  #short = 0;
  #own = 0;

  /** Whether processes have ended in a row that had no call. */
  get isBroken(): boolean {
    return this.#own > 1;
  }

  /** Whether no call waits for the next process, because it is the processes that fail. */
  get isOwnFault(): boolean {
    return this.#own > 0;
  }

  /** @returns milliseconds before another process. */
  ended({ ageMs, hadCalls }: PastLife): number {
    const isShort = ageMs < healthyMs;
    this.#short = isShort ? this.#short + 1 : 0;
    this.#own = isShort && !hadCalls ? this.#own + 1 : 0;
    if (this.#short === 0) return 0;
    const { first, own, calls } = pauseMs;
    return backoff(this.#short, first, this.#own > 0 ? own : calls);
  }
}
