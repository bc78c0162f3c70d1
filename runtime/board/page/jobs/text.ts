import type { Job } from '../../api-job-types.ts';
import { count, deadLetters } from '../format.tsx';

const verbs = { replay: 'Replay', drop: 'Drop' } as const;
const participles = { replay: 'replayed', drop: 'dropped' } as const;

/** `Replay of 12 dead letters` */
export function titleOf({ action, selected, to }: Job): string {
  return `${verbs[action]} of ${deadLetters(selected)}${to === undefined ? '' : ` to ${to}`}`;
}

/** What becomes of a job while its user has no session. It names no queue, because anybody may see it. */
export function leftTextOf(job: Job): string {
  const { action, selected, state, begins_at: at = '' } = job;
  const title = `${verbs[action]} of ${deadLetters(selected)}`;
  if (state === 'paused') return `${title} stays paused.`;
  if (state !== 'pending') return `${title} goes on.`;
  return `${title} begins at ${new Date(at).toLocaleTimeString()}; sign in before that to undo it.`;
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
