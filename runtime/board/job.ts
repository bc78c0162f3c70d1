import { setTimeout as sleep } from 'node:timers/promises';
import type { EntrySummary } from '../dead-letters/entry-summary.ts';
import type { Job as JobFields } from './api-job-types.ts';

/** Positions of the dead letters that a job still means, by their queue. */
export type Left = Map<string, Set<number>>;

/**
 * A job, with the requests of its user: to stop, to pause and to resume. They end the pass over the queue that is running.
 */
export class Job {
  readonly fields: JobFields;
  readonly left: Left;
  /** Resolves when the job has ended. */
  ended: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();
  #pause = new AbortController();
  #resume: () => void = () => undefined;

  constructor(fields: JobFields, left: Left) {
    this.fields = fields;
    this.left = left;
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Whether no dead letter is left. */
  get isEmpty(): boolean {
    return [...this.left.values()].every(({ size }) => size === 0);
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
  handled(queue: string, offset: number | undefined, isRemoved: boolean): void {
    this.fields.met += 1;
    if (isRemoved) this.fields.done += 1;
    if (offset !== undefined) this.left.get(queue)?.delete(offset);
  }
}

/** Positions of the dead letters, because another dead letter may have the same id, and another error. */
export function leftOf(entries: readonly EntrySummary[]): Left {
  const left: Left = new Map();
  for (const { offset, failure } of entries) {
    const known = left.get(failure.queue);
    if (known) known.add(offset);
    else left.set(failure.queue, new Set([offset]));
  }
  return left;
}
