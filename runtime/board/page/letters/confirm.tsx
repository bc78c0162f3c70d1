import { useState } from 'preact/hooks';
import type { JobFilter } from '../../api-job-types.ts';
import { Dialog } from '../dialog.tsx';
import { count, deadLetters } from '../format.tsx';
import { startJob } from '../jobs/store.ts';
import { Failed } from '../states.tsx';

/** What an operator is asked to confirm. */
export interface Planned {
  action: 'replay' | 'drop';
  filter: JobFilter;
  number: number;
  /** Which they are, such as `of the queue shop`. */
  which: string;
  /** Called when the job has begun. */
  begun?: () => void;
}

/** Asks before a job begins. */
export function Confirm({
  planned,
  canUndo,
  close,
}: {
  planned: Planned;
  canUndo: boolean;
  close: () => void;
}) {
  const { action, filter, number, which, begun } = planned;
  const [to, setTo] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const isDrop = action === 'drop';
  const start = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await startJob({ action, filter, ...(to.trim() && !isDrop && { to: to.trim() }) });
      begun?.();
      close();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={`${isDrop ? 'Drop' : 'Replay'} ${deadLetters(number)}?`} close={close}>
      <form onSubmit={start}>
        <p>{which}</p>
        {isDrop ? (
          <p class="warning">
            {canUndo
              ? 'They are deleted after 10 seconds. Until then you can undo it.'
              : 'They are deleted at once, and there is no undo.'}
          </p>
        ) : (
          <label>
            To the queue
            <input
              value={to}
              onInput={(event) => setTo(event.currentTarget.value)}
              placeholder="the queue in which each failed"
              autocomplete="off"
            />
          </label>
        )}
        {problem !== undefined && <Failed problem={problem} />}
        <p class="buttons">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class={isDrop ? 'danger' : 'primary'} disabled={isBusy}>
            {isDrop ? 'Drop' : 'Replay'} {count(number)}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
