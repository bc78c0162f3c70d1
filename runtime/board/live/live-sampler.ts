import { setTimeout as sleep } from 'node:timers/promises';
import type { History, Live } from '../api-live-types.ts';
import { LiveHistory } from './history.ts';

/** Milliseconds between two samples while a page listens, and while none does. */
const [listenedMs, idleMs] = [2000, 15_000];

/** Samples the queues and functions as long as it runs: for the pages that listen, and for the history. */
export class LiveSampler {
  readonly #read: () => Promise<Live>;
  readonly #history = new LiveHistory();
  readonly #listeners = new Set<(live: Live) => void>();
  readonly #stop = new AbortController();
  #wake = new AbortController();
  #sampling: Promise<Live> | undefined;
  #running: Promise<void> | undefined;

  /** @param read does not throw. */
  constructor(read: () => Promise<Live>) {
    this.#read = read;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake.abort();
    await this.#running;
  }

  /** Reads the numbers now; calls at the same time share one sample. */
  sample(): Promise<Live> {
    this.#sampling ??= this.#read()
      .then((live) => {
        this.#history.add(live);
        return live;
      })
      .finally(() => {
        this.#sampling = undefined;
      });
    return this.#sampling;
  }

  history(range: 'hour' | 'day'): History {
    return this.#history.read(range);
  }

  /**
   * Calls the function with each sample, the first one at once.
   *
   * @returns a function that ends it.
   */
  listen(listener: (live: Live) => void): () => void {
    this.#listeners.add(listener);
    this.#wake.abort();
    return () => this.#listeners.delete(listener);
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#wake = new AbortController();
      const live = await this.sample();
      for (const listener of this.#listeners) listener(live);
      const ms = this.#listeners.size > 0 ? listenedMs : idleMs;
      await sleep(ms, undefined, { signal: this.#wake.signal }).catch(() => undefined);
    }
  }
}
