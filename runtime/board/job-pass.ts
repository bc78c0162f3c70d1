import type { LetterActions, Selection } from '../dead-letters/actions.ts';
import type { Job } from './job.ts';

/** Dead letters that stay, as the summary of a job lists them. */
const maxStayed = 100;

/**
 * Replays or drops the dead letters that are left of a job, one queue after the other.
 *
 * @returns false if the job was paused or stopped before the end.
 * @throws as `LetterActions`.
 */
export async function runPass(job: Job, actions: LetterActions): Promise<boolean> {
  const { signal, fields, left } = job;
  if (signal.aborted) return false;
  fields.state = 'running';
  for (const [queue, offsets] of left) {
    if (signal.aborted || offsets.size === 0) continue;
    const selection: Selection = {
      queue,
      only: new Set(offsets),
      signal,
      handled: (offset, fate) => job.handled(queue, offset, fate === 'remove'),
    };
    if (fields.action === 'drop') await actions.drop(selection);
    else {
      const stayed = await actions.replay(selection, fields.to);
      fields.stayed.push(...stayed.slice(0, maxStayed - fields.stayed.length));
    }
  }
  return !signal.aborted || job.isEmpty;
}
