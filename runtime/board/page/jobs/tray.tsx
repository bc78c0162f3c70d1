import { useState } from 'preact/hooks';
import type { Job } from '../../api-job-types.ts';
import { ApiError } from '../api.ts';
import { Failed } from '../states.tsx';
import { keepUnsent } from '../unsent.ts';
import { changeJob, hideJob, isOpen, type JobChange, useJobs } from './store.ts';
import { summaryOf, titleOf } from './text.ts';

/** Jobs that are shown, unless more are open: an open one must stay in reach, to be undone, resumed or stopped. */
const maxShown = 3;

interface TrayProps {
  isOperator: boolean;
  canPause: boolean;
}

/** The jobs that are open and those that have ended since the page was opened, until the user hides them. */
export function JobTray(props: TrayProps) {
  const { jobs } = useJobs();
  if (jobs.length === 0) return null;
  const open = jobs.filter(isOpen);
  // By their ends: a job that was paused for long has its summary too.
  const byEnd = jobs
    .filter((job) => !isOpen(job))
    .sort((a, b) => (b.endedAt ?? '').localeCompare(a.endedAt ?? ''));
  const ended = byEnd.slice(0, Math.max(0, maxShown - open.length));
  return (
    <aside class="tray" aria-label="Jobs">
      {[...open, ...ended].map((job) => (
        <JobCard key={job.id} job={job} {...props} />
      ))}
    </aside>
  );
}

function JobCard({ job, isOperator, canPause }: TrayProps & { job: Job }) {
  const [problem, setProblem] = useState<unknown>();
  const attempt = (name: string, change: JobChange) => {
    setProblem(undefined);
    changeJob(job.id, change).catch((error: unknown) => {
      setProblem(error);
      const title = `${name} of “${titleOf(job)}”`;
      if (error instanceof ApiError && error.status === 401)
        keepUnsent({ title, change: { id: job.id, change } });
    });
  };
  const { id, state, selected, met, stayed } = job;
  const isPending = state === 'pending';
  return (
    <section class={`job ${state}`} aria-label={titleOf(job)}>
      <h2>{titleOf(job)}</h2>
      <p class="muted">{isPending ? <Countdown job={job} /> : summaryOf(job)}</p>
      {isOpen(job) && !isPending && (
        <progress max={Math.max(selected, 1)} value={met} aria-label={`Progress: ${titleOf(job)}`} />
      )}
      {stayed.length > 0 && <StayedList job={job} />}
      {problem !== undefined && <Failed problem={problem} />}
      <p class="buttons">
        {isOpen(job) && isOperator && canPause && (state === 'running' || state === 'paused') && (
          <button
            type="button"
            onClick={() => (state === 'paused' ? attempt('Resume', 'resume') : attempt('Pause', 'pause'))}
          >
            {state === 'paused' ? 'Resume' : 'Pause'}
          </button>
        )}
        {isOpen(job) && isOperator && (
          <button
            type="button"
            class={isPending ? 'primary' : ''}
            onClick={() => attempt(isPending ? 'Undo' : 'Stop', 'stop')}
          >
            {isPending ? 'Undo' : 'Stop'}
          </button>
        )}
        {!isOpen(job) && (
          <button type="button" onClick={() => hideJob(id)}>
            Hide
          </button>
        )}
      </p>
    </section>
  );
}

/** The store requests a pending job several times a second, so that this is drawn anew. */
function Countdown({ job: { begins_at: beginsAt } }: { job: Job }) {
  const seconds = Math.max(0, Math.ceil((Date.parse(beginsAt ?? '') - Date.now()) / 1000));
  return <>{Number.isNaN(seconds) ? 'begins soon' : `begins in ${seconds} s`}</>;
}

function StayedList({ job: { stayed } }: { job: Job }) {
  return (
    <details>
      <summary>Which stay, and why</summary>
      <ul>
        {stayed.map(({ id, queue, reason, problem }) => (
          <li key={`${queue} ${id}`}>
            <code>{id}</code> {problem ?? `queue ${queue} is gone (${reason})`}
          </li>
        ))}
      </ul>
    </details>
  );
}
