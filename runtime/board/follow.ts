import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../base/log.ts';
import type { LetterIndex } from '../dead-letters/letter-index.ts';

/** Milliseconds between two updates. */
const everyMs = 1000;

/** Keeps an index up to date until it is stopped. A failure is logged when it begins, and its end as well. */
export class IndexFollower {
  readonly #index: LetterIndex;
  readonly #log: Log;
  readonly #stop = new AbortController();
  #following: Promise<void> | undefined;
  #updatedAt: Date | undefined;
  #problem: unknown;

  constructor(index: LetterIndex, log: Log) {
    this.#index = index;
    this.#log = log;
  }

  /** When the last update succeeded; undefined before the first one. */
  get updatedAt(): Date | undefined {
    return this.#updatedAt;
  }

  /** Why the last update failed; undefined if it succeeded. */
  get problem(): unknown {
    return this.#problem;
  }

  start(): void {
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.update();
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Updates the index with everything that is there now. It does not throw. */
  async updateAll(): Promise<void> {
    // The first may be one that has already begun.
    await this.update();
    await this.update();
  }

  /** Updates the index now, or waits for an update that has begun. It does not throw. */
  async update(): Promise<void> {
    try {
      await this.#index.update();
      if (this.#problem !== undefined) this.#log.info({ size: this.#index.size }, 'reading the index again');
      this.#problem = undefined;
      this.#updatedAt = new Date();
    } catch (error) {
      if (this.#problem === undefined) this.#log.warn({ err: error }, 'cannot read the index, trying again');
      this.#problem = error;
    }
  }
}
