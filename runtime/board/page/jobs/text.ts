import type { Job } from '../../api-job-types.ts';
import { count, deadLetters } from '../format.tsx';

const verbs = { replay: 'Replay', drop: 'Drop' } as const;
const participles = { replay: 'replayed', drop: 'dropped' } as const;

/** `Replay of 12 dead letters` */
export function titleOf({ action, selected, to }: Job): string {
  return `${verbs[action]} of ${deadLetters(selected)}${to === undefined ? '' : ` to ${to}`}`;
}

/** What a job is doing, or has done. */
export function summaryOf(job: Job): string {
  const { state, action, met, selected, done, stayed, problem } = job;
  const participle = participles[action];
  if (state === 'pending') return 'can still be undone';
  if (state === 'waiting') return 'waits for another job';
  if (state === 'running') return `${count(met)} of ${count(selected)}`;
  if (state === 'paused') return `paused at ${count(met)} of ${count(selected)}`;
  if (state === 'failed') return `failed: ${problem ?? 'unknown reason'}`;
  if (state === 'stopped' && done === 0) return `stopped, none ${participle}`;
  const left = stayed.length > 0 ? `, ${count(stayed.length)} stay` : '';
  // Another client has taken or holds them.
  const lost = state === 'done' && met < selected ? `, ${count(selected - met)} not found` : '';
  return `${state === 'stopped' ? 'stopped, ' : ''}${count(done)} ${participle}${left}${lost}`;
}
