import { randomUUID } from 'node:crypto';
import pLimit from 'p-limit';
import type { Log } from '../base/log.ts';
import type { LetterActions } from '../dead-letters/actions.ts';
import type { Edit, Edited } from '../dead-letters/edit.ts';
import type { EntryFilter } from '../dead-letters/entry-summary.ts';
import type { LetterIndex } from '../dead-letters/letter-index.ts';
import { Problem } from '../http/problem.ts';
import type { Job as JobFields, NewJob } from './api-job-types.ts';
import { Job } from './job.ts';
import { runPass } from './job-pass.ts';

export interface JobRequest extends Pick<NewJob, 'action' | 'to' | 'one_at_a_time'> {
  /** Selects dead letters of the index as it is when the job is made. */
  filter: EntryFilter;
  /** Only those with these offsets, default all. */
  offsets?: readonly number[] | undefined;
  /** Who makes the job. */
  user: string;
}

/** What a job selects, with the positions if it has any. */
export type RecordedFilter = EntryFilter & { offset?: readonly number[] };

export interface JobsOptions {
  index: Pick<LetterIndex, 'page'>;
  actions: LetterActions;
  log: Log;
  /** Milliseconds before a drop begins, in which it can be undone; default 10,000. */
  graceMs?: number | undefined;
  /** Called before the work of each job. It does not throw. */
  begins?: (job: JobFields, filter: RecordedFilter) => Promise<void>;
  /** Called after the work of each job with the state that it will have, before a client sees that. It does not throw. */
  ended: (job?: JobFields, state?: JobFields['state']) => Promise<void>;
}

/** Jobs that are kept for the summary. */
const maxJobs = 100;
/** Jobs that have not ended, each with the positions of its dead letters. */
const maxOpen = 20;

/**
 * Replays and drops dead letters, one job at a time: readers of the queue hide its messages from each other. A process that is
 * killed loses no dead letter; those that were replayed and not acknowledged, at most 100 or the one in flight, exist twice.
 */
export class Jobs {
  readonly #options: JobsOptions;
  readonly #jobs = new Map<string, Job>();
  readonly #oneByOne = pLimit(1);

  constructor(options: JobsOptions) {
    this.#options = options;
  }

  /** The jobs, the latest first. */
  get all(): JobFields[] {
    return [...this.#jobs.values()].map(({ fields }) => fields).reverse();
  }

  get(id: string): JobFields | undefined {
    return this.#jobs.get(id)?.fields;
  }

  /**
   * Begins a job, or lets it wait for the others. A drop waits for its grace period first.
   *
   * @throws Problem 429 if too many wait.
   */
  start({ action, filter, offsets, to, one_at_a_time, user }: JobRequest): JobFields {
    this.#makeRoom();
    const meant = offsets && new Set(offsets);
    const found = this.#options.index.page(filter, {});
    const selected = meant ? found.filter(({ offset }) => meant.has(offset)) : found;
    const now = Date.now();
    const fields: JobFields = {
      id: randomUUID(),
      action,
      to,
      one_at_a_time,
      state: action === 'drop' ? 'pending' : 'waiting',
      selected: selected.length,
      met: 0,
      done: 0,
      stayed: [],
      user,
      createdAt: new Date(now).toISOString(),
    };
    if (action === 'drop') fields.begins_at = new Date(now + (this.#options.graceMs ?? 10_000)).toISOString();
    const job = new Job(
      fields,
      selected.map(({ offset }) => offset),
    );
    this.#jobs.set(fields.id, job);
    job.ended = this.#run(job, offsets ? { ...filter, offset: offsets } : filter);
    return fields;
  }

  /** Replaces a dead letter by an edited one, between two jobs. Throws as `LetterActions.edit` does. */
  edit(offset: number, edit: Edit, user: string): Promise<Edited> {
    return this.#oneByOne(async () => {
      const edited = await this.#options.actions.edit(offset, edit, user);
      await this.#options.ended();
      return edited;
    });
  }

  /** Stops a job after the dead letters in flight. The others stay in their queue; in its grace period, a drop removes none. */
  stop(id: string): JobFields | undefined {
    return this.#ask(id, (job) => job.stop());
  }

  /** Lets a job wait after the dead letters in flight; the others stay in their queue. */
  pause(id: string): JobFields | undefined {
    return this.#ask(id, (job) => job.pause());
  }

  /** Continues a job that was paused. */
  resume(id: string): JobFields | undefined {
    return this.#ask(id, (job) => job.resume());
  }

  /** Stops all jobs, and waits for the dead letters in flight and for an edit. */
  async close(): Promise<void> {
    const all = [...this.#jobs.values()];
    for (const job of all) job.stop();
    await Promise.all(all.map(({ ended }) => ended));
    await this.#oneByOne(async () => undefined);
  }

  #ask(id: string, ask: (job: Job) => void): JobFields | undefined {
    const job = this.#jobs.get(id);
    if (job && !job.hasEnded) ask(job);
    return job?.fields;
  }

  /** Forgets the oldest job that has ended. One that has not could not be stopped any more. */
  #makeRoom(): void {
    const ended = this.all.filter(({ endedAt }) => endedAt !== undefined);
    if (this.#jobs.size - ended.length >= maxOpen) {
      const detail = `expected at most ${maxOpen} jobs at a time; stop one, or wait for its end`;
      throw new Problem(429, 'Too Many Requests', detail);
    }
    const oldest = ended.at(-1);
    if (this.#jobs.size >= maxJobs && oldest) this.#jobs.delete(oldest.id);
  }

  async #run(job: Job, filter: RecordedFilter): Promise<void> {
    const { log, begins, ended } = this.#options;
    const { fields } = job;
    await begins?.(fields, filter);
    await job.grace();
    let state: JobFields['state'] = 'done';
    try {
      for (let isOver = false; !isOver; ) {
        await job.resumed();
        if (job.isStopped) break;
        fields.state = 'waiting';
        isOver = await this.#oneByOne(() => runPass(job, this.#options.actions));
      }
      if (job.isStopped && fields.met < fields.selected) state = 'stopped';
    } catch (error) {
      state = 'failed';
      fields.problem = error instanceof Error ? error.message : String(error);
      log.error({ job: fields.id, err: error }, 'job failed');
    }
    // A client that has seen the end finds an index without the dead letters that are gone.
    await ended(fields, state);
    fields.state = state;
    fields.endedAt = new Date().toISOString();
  }
}
