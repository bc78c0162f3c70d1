import type { LetterActions } from '../dead-letters/actions.ts';
import type { Fate } from '../dead-letters/take.ts';
import type { Job } from './job.ts';

/** Dead letters that stay, as the summary of a job lists them. */
const maxStayed = 100;

/**
 * Replays or drops the dead letters that are left of a job, all in one pass: a pass for each of their queues would hold the dead
 * letters of the others, and return them to the broker.
 *
 * @returns false if the job was paused or stopped before the end.
 * @throws as `LetterActions`.
 */
export async function runPass(job: Job, actions: LetterActions): Promise<boolean> {
  const { signal, fields, left } = job;
  if (signal.aborted) return false;
  fields.state = 'running';
  if (left.size === 0) return true;
  const selection = {
    only: new Set(left),
    by: fields.user,
    signal,
    handled: (offset: number | undefined, fate: Fate) => job.handled(offset, fate === 'remove'),
  };
  if (fields.action === 'drop') await actions.drop(selection);
  else {
    const stayed = await actions.replay(selection, { to: fields.to, oneAtATime: fields.one_at_a_time });
    fields.stayed.push(...stayed.slice(0, maxStayed - fields.stayed.length));
  }
  return !signal.aborted || job.isEmpty;
}
