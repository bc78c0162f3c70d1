import { setTimeout as sleep } from 'node:timers/promises';
import type { Job as JobFields } from './api-job-types.ts';

/**
 * A job, with the requests of its user: to stop, to pause and to resume. They end the pass over the queue that is running.
 */
export class Job {
  readonly fields: JobFields;
  /** Positions of the dead letters that it still means, because another one may have the same id, and another error. */
  readonly left: Set<number>;
  /** Resolves when the job has ended. */
  ended: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();
  #pause = new AbortController();
  #resume: () => void = () => undefined;

  constructor(fields: JobFields, offsets: Iterable<number>) {
    this.fields = fields;
    this.left = new Set(offsets);
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Whether no dead letter is left. */
  get isEmpty(): boolean {
    return this.left.size === 0;
  }

  get hasEnded(): boolean {
    return this.fields.endedAt !== undefined;
  }

  /** Ends a pass over the queue: at a stop or a pause. */
  get signal(): AbortSignal {
    return AbortSignal.any([this.#stop.signal, this.#pause.signal]);
  }

  /** Ends the job after the dead letters in flight. */
  stop(): void {
    this.#stop.abort();
    this.#resume();
  }

  /** Lets the job wait after the dead letters in flight. */
  pause(): void {
    this.#pause.abort();
    if (this.fields.state === 'waiting') this.fields.state = 'paused';
  }

  resume(): void {
    this.#pause = new AbortController();
    if (this.fields.state === 'paused') this.fields.state = 'waiting';
    this.#resume();
  }

  /** Waits for the end of the grace period, or for a stop. */
  async grace(): Promise<void> {
    const { begins_at: begins } = this.fields;
    if (begins === undefined) return;
    const ms = Math.max(0, Date.parse(begins) - Date.now());
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  /** Waits while the job is paused and not stopped. */
  async resumed(): Promise<void> {
    while (this.#pause.signal.aborted && !this.isStopped) {
      this.fields.state = 'paused';
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
    }
  }

  /** Counts a dead letter that was handled. */
  handled(offset: number | undefined, isRemoved: boolean): void {
    this.fields.met += 1;
    if (isRemoved) this.fields.done += 1;
    if (offset !== undefined) this.left.delete(offset);
  }
}
