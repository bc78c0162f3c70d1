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
  #updating: Promise<void> | undefined;
  #next: Promise<void> | undefined;
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

  /** The text of `problem`; null if there is none. */
  get problemText(): string | null {
    if (this.#problem === undefined) return null;
    return this.#problem instanceof Error ? this.#problem.message : String(this.#problem);
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

  /**
   * Updates the index with everything that is there now. Calls at the same time share one update.
   *
   * @throws what the update threw: UnavailableError if the broker is unavailable, for example.
   */
  async catchUp(): Promise<void> {
    // An update that has begun may have read too early.
    this.#next ??= Promise.resolve(this.#updating).then(() => {
      this.#next = undefined;
      return this.update();
    });
    await this.#next;
    if (this.#problem !== undefined) throw this.#problem;
  }

  /** Updates the index now, or waits for an update that has begun. It does not throw. */
  update(): Promise<void> {
    this.#updating ??= this.#update().finally(() => {
      this.#updating = undefined;
    });
    return this.#updating;
  }

  async #update(): Promise<void> {
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
