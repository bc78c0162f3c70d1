import { useLayoutEffect, useState } from 'preact/hooks';
import type { Job, JobList, NewJob } from '../../api-job-types.ts';
import { announce } from '../announce.tsx';
import { get, post, send } from '../api.ts';
import { leftTextOf, summaryOf, titleOf } from './text.ts';

/** Milliseconds between two requests while a job is open, and while none is. */
const [busyMs, idleMs] = [400, 5000];

const openedAt = new Date().toISOString();
const hidden = new Set<string>();
const shownAgain = new Set<string>();
const listeners = new Set<() => void>();
let jobs: Job[] = [];
let ended = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Whether a job can still do something. */
export const isOpen = ({ endedAt }: Job): boolean => endedAt === undefined;

function keep(next: Job[]): void {
  const before = new Map(jobs.map((job) => [job.id, job]));
  for (const job of next) {
    const old = before.get(job.id);
    if (old && isOpen(old) && !isOpen(job)) {
      ended += 1;
      announce(`${titleOf(job)}: ${summaryOf(job)}`);
    }
  }
  jobs = next;
  for (const listener of listeners) listener();
}

async function refresh(): Promise<void> {
  clearTimeout(timer);
  try {
    keep((await get<JobList>('/api/jobs')).jobs);
  } catch {
    // The views report that the board does not answer.
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, jobs.some(isOpen) ? busyMs : idleMs);
}

/** Begins a job. @throws ApiError */
export async function startJob(request: NewJob): Promise<void> {
  const job = await post<Job>('/api/jobs', request);
  announce(`${titleOf(job)} has begun`);
  keep([job, ...jobs.filter(({ id }) => id !== job.id)]);
  // Not awaited: the job has begun, whether or not the token expires meanwhile.
  void refresh();
}

/** What can be asked of a job. `stop` undoes a drop that has not begun. */
export type JobChange = 'stop' | 'pause' | 'resume';

/** Stops, pauses or resumes a job. @throws ApiError */
export async function changeJob(id: string, change: JobChange): Promise<void> {
  if (change === 'stop') await send(`/api/jobs/${id}`, { method: 'DELETE' });
  else await post(`/api/jobs/${id}/${change}`, {});
  await refresh();
}

/** The jobs that go on without the page. */
export const leftJobs = (): { id: string; text: string }[] =>
  jobs.filter(isOpen).map((job) => ({ id: job.id, text: leftTextOf(job) }));

/** Shows these jobs, although they began before the page was opened. */
export function showJobs(ids: readonly string[]): void {
  for (const id of ids) shownAgain.add(id);
}

/** Removes a job from the tray. */
export function hideJob(id: string): void {
  hidden.add(id);
  for (const listener of listeners) listener();
}

/** The jobs for the tray, and a number that grows when a job ends. */
export function useJobs(): { jobs: Job[]; ended: number } {
  const [, redraw] = useState(0);
  // An effect would begin a frame later, and miss a change meanwhile.
  useLayoutEffect(() => {
    const listener = () => redraw((n) => n + 1);
    listeners.add(listener);
    if (listeners.size === 1) void refresh();
    return () => {
      listeners.delete(listener);
    };
  }, []);
  const shown = jobs.filter(
    (job) => !hidden.has(job.id) && (isOpen(job) || job.createdAt >= openedAt || shownAgain.has(job.id)),
  );
  return { jobs: shown, ended };
}
