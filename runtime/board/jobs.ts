import { randomUUID } from 'node:crypto';
import pLimit from 'p-limit';
import type { Log } from '../base/log.ts';
import type { DeadLetterIndex } from '../dead-letters/dead-letter-index.ts';
import { dropDeadLetters } from '../dead-letters/dead-letters.ts';
import type { EntryFilter, EntrySummary } from '../dead-letters/entry-summary.ts';
import { replayDeadLetters, type Stayed } from '../dead-letters/replay.ts';
import type { Progress } from '../dead-letters/take.ts';
import { Problem } from '../http/problem.ts';

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
  /** Called after the work of each job. It does not throw. */
  ended: () => Promise<void>;
}

/** Jobs and problems that are kept for the summary. */
const [maxJobs, maxStayed] = [100, 100];
/** Jobs that have not ended, each with the positions of its dead letters. */
const maxOpen = 20;

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

  /**
   * Begins a job, or lets it wait for the others.
   *
   * @throws Problem 429 if too many wait.
   */
  start({ action, filter, to }: JobRequest): Job {
    this.#makeRoom();
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
    const offsets = offsetsByQueue(selected);
    const ended = this.#oneByOne(() => this.#run(job, offsets, stop.signal));
    this.#jobs.set(job.id, { job, stop, ended });
    // A list of ids may have megabytes.
    const { id, ...fields } = filter;
    const logged = typeof id === 'string' ? filter : fields;
    this.#options.log.info({ job: job.id, action, to, selected: selected.length, filter: logged }, 'job');
    return job;
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

  async #run(job: Job, offsets: ReadonlyMap<string, Set<number>>, signal: AbortSignal): Promise<void> {
    const { log, ended } = this.#options;
    job.state = 'running';
    try {
      for (const [queue, only] of offsets) {
        if (!signal.aborted) await this.#act(job, { queue, only }, signal);
      }
      job.state = signal.aborted && job.met < job.selected ? 'stopped' : 'done';
    } catch (error) {
      job.state = 'failed';
      job.problem = error instanceof Error ? error.message : String(error);
      log.error({ job: job.id, err: error }, 'job failed');
    }
    // A client that has seen the end finds an index without the dead letters that are gone.
    if (job.met > 0) await ended();
    job.endedAt = new Date().toISOString();
    const { id, action, state, done } = job;
    log.info({ job: id, action, state, done }, 'job ended');
  }

  async #act(
    job: Job,
    { queue, only }: { queue: string; only: ReadonlySet<number> },
    signal: AbortSignal,
  ): Promise<void> {
    const { action, to, met } = job;
    const [{ url }, limit] = [this.#options, only.size];
    const progress: Progress = (state) => {
      if ('matching' in state) job.met = met + state.matching;
    };
    if (action === 'drop') {
      job.done += (await dropDeadLetters(url, { queue }, limit, progress, { only, signal })).length;
      return;
    }
    const { replayed, stayed } = await replayDeadLetters(
      url,
      { queue },
      { progress, limit, to, only, signal },
    );
    job.done += replayed.length;
    job.stayed.push(...stayed.slice(0, maxStayed - job.stayed.length));
  }
}

/** Positions of the dead letters, because another dead letter may have the same id, and another error. */
function offsetsByQueue(entries: readonly EntrySummary[]): Map<string, Set<number>> {
  const offsets = new Map<string, Set<number>>();
  for (const { offset, failure } of entries) {
    const known = offsets.get(failure.queue);
    if (known) known.add(offset);
    else offsets.set(failure.queue, new Set([offset]));
  }
  return offsets;
}
