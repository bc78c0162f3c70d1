import { randomUUID } from 'node:crypto';
import pLimit from 'p-limit';
import type { Log } from '../base/log.ts';
import type { DeadLetterIndex } from '../dead-letters/dead-letter-index.ts';
import { dropDeadLetters } from '../dead-letters/dead-letters.ts';
import type { EntryFilter, EntrySummary } from '../dead-letters/entry-summary.ts';
import { replayDeadLetters, type Stayed } from '../dead-letters/replay.ts';
import type { Progress } from '../dead-letters/take.ts';

export interface JobRequest {
  action: 'replay' | 'drop';
  /** Selects dead letters of the index as it is when the job is made. */
  filter: EntryFilter;
  /** Queue for all of a replay, default the queue in which each failed. */
  to?: string | undefined;
}

export interface Job extends Pick<JobRequest, 'action' | 'to'> {
  id: string;
  state: 'waiting' | 'running' | 'done' | 'stopped' | 'failed';
  /** Number of dead letters that were selected. */
  selected: number;
  /** Number of those that the job has met in their queue. */
  met: number;
  /** Number of those that were replayed or dropped, known at the end of each queue. */
  done: number;
  /** Those that stay because their queue is gone or because they cannot be published, at most 100. */
  stayed: Stayed[];
  createdAt: string;
  endedAt?: string;
  /** Why it failed. */
  problem?: string;
}

export interface JobsOptions {
  /** AMQP URL of the broker. */
  url: string;
  index: DeadLetterIndex;
  log: Log;
  /** Called after each job. */
  ended: () => Promise<void>;
}

/** Jobs and problems that are kept for the summary. */
const [maxJobs, maxStayed] = [100, 100];

/**
 * Replays and drops dead letters, one job at a time: readers of the queue hide its messages from each other. A process that is
 * killed loses no dead letter; those that were replayed and not acknowledged, at most 500, exist twice.
 */
export class Jobs {
  readonly #options: JobsOptions;
  readonly #jobs = new Map<string, { job: Job; stop: AbortController; ended: Promise<void> }>();
  readonly #oneByOne = pLimit(1);

  constructor(options: JobsOptions) {
    this.#options = options;
  }

  /** The jobs, the latest first. */
  get all(): Job[] {
    return [...this.#jobs.values()].map(({ job }) => job).reverse();
  }

  get(id: string): Job | undefined {
    return this.#jobs.get(id)?.job;
  }

  /** Begins a job, or lets it wait for the others. */
  start({ action, filter, to }: JobRequest): Job {
    const selected = this.#options.index.page(filter, {});
    const job: Job = {
      id: randomUUID(),
      action,
      to,
      state: 'waiting',
      selected: selected.length,
      met: 0,
      done: 0,
      stayed: [],
      createdAt: new Date().toISOString(),
    };
    const stop = new AbortController();
    const ended = this.#oneByOne(() => this.#run(job, selected, stop.signal));
    this.#jobs.set(job.id, { job, stop, ended });
    this.#options.log.info({ job: job.id, action, to, selected: selected.length, filter }, 'job');
    const [oldest] = this.#jobs.keys();
    if (this.#jobs.size > maxJobs && oldest !== undefined) this.#jobs.delete(oldest);
    return job;
  }

  /** Stops a job after the dead letters in flight. The others stay in their queue. */
  stop(id: string): Job | undefined {
    const found = this.#jobs.get(id);
    found?.stop.abort();
    return found?.job;
  }

  /** Stops all jobs, and waits for the dead letters in flight. */
  async close(): Promise<void> {
    const all = [...this.#jobs.values()];
    for (const { stop } of all) stop.abort();
    await Promise.all(all.map(({ ended }) => ended));
  }

  async #run(job: Job, selected: readonly EntrySummary[], signal: AbortSignal): Promise<void> {
    const { log, ended } = this.#options;
    try {
      job.state = 'running';
      for (const [queue, ids] of idsByQueue(selected)) {
        if (!signal.aborted) await this.#act(job, { queue, id: ids }, signal);
      }
      job.state = signal.aborted && job.met < job.selected ? 'stopped' : 'done';
    } catch (error) {
      job.state = 'failed';
      job.problem = error instanceof Error ? error.message : String(error);
      log.error({ job: job.id, err: error }, 'job failed');
    }
    job.endedAt = new Date().toISOString();
    const { id, action, state, done } = job;
    log.info({ job: id, action, state, done }, 'job ended');
    await ended();
  }

  async #act(job: Job, filter: { queue: string; id: string[] }, signal: AbortSignal): Promise<void> {
    const { url } = this.#options;
    const { action, to, met } = job;
    const limit = filter.id.length;
    const progress: Progress = (state) => {
      if ('matching' in state) job.met = met + state.matching;
    };
    if (action === 'drop') {
      job.done += (await dropDeadLetters(url, filter, limit, progress, signal)).length;
      return;
    }
    const { replayed, stayed } = await replayDeadLetters(url, filter, { progress, limit, to, signal });
    job.done += replayed.length;
    job.stayed.push(...stayed.slice(0, maxStayed - job.stayed.length));
  }
}

/** The same message may have failed in several queues. */
function idsByQueue(entries: readonly EntrySummary[]): Map<string, string[]> {
  const ids = new Map<string, string[]>();
  for (const { id, failure } of entries) {
    const known = ids.get(failure.queue);
    if (known) known.push(id);
    else ids.set(failure.queue, [id]);
  }
  return ids;
}
