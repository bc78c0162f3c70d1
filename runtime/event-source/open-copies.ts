import { anySignal } from '../base/any-signal.ts';

/** Copies that may be open before further messages wait: each holds its message in memory and at the broker. */
const maxOpen = 100;

/** Copies of failed messages that the broker has not confirmed yet, while the messages behind them are handled. */
export class OpenCopies {
  /** Aborted when the messages of these copies go back to the broker. */
  readonly ended: AbortSignal;
  readonly #open = new Set<Promise<unknown>>();
  readonly #leaving = new AbortController();

  /** @param ended aborted when the subscription of their messages ends. */
  constructor(ended: AbortSignal) {
    this.ended = anySignal(ended, this.#leaving.signal);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Whether the subscription is about to be closed, which hands back all messages. */
  get isLeaving(): boolean {
    return this.#leaving.signal.aborted;
  }

  /** @param copy ends when its message is settled. */
  add(copy: Promise<unknown>): void {
    const settled: Promise<unknown> = copy.catch(() => undefined).finally(() => this.#open.delete(settled));
    this.#open.add(settled);
  }

  /** Resolves when another copy may be open. */
  async room(): Promise<void> {
    while (this.#open.size >= maxOpen) await Promise.race(this.#open);
  }

  /** Resolves when no copy is open; the messages of those that are not confirmed soon go back. */
  async leave(): Promise<void> {
    this.#leaving.abort();
    await Promise.all(this.#open);
  }
}
