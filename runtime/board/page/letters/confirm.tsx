import { useState } from 'preact/hooks';
import { Dialog } from '../dialog.tsx';
import { count, deadLetters } from '../format.tsx';
import { startJob } from '../jobs/store.ts';
import { Failed } from '../states.tsx';
import { useUnsent } from '../unsent.ts';
import type { Planned } from './begun.ts';

/** Asks before a job begins. */
export function Confirm({
  planned,
  queue = '',
  oneAtATime = false,
  canUndo,
  close,
}: {
  planned: Planned;
  /** Queue that is already written into the field. */
  queue?: string | undefined;
  /** Whether its box is checked already. */
  oneAtATime?: boolean | undefined;
  canUndo: boolean;
  close: () => void;
}) {
  const { action, filter, number, which, begun } = planned;
  const [to, setTo] = useState(queue);
  const [isOneAtATime, setOneAtATime] = useState(oneAtATime);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const isDrop = action === 'drop';
  const verb = isDrop ? 'Drop' : 'Replay';
  const done = useUnsent(() => ({
    title: `${verb} of ${deadLetters(number)}`,
    planned: { action, filter, number, which },
    to,
    oneAtATime: isOneAtATime,
  }));
  const start = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const way = { ...(to.trim() && { to: to.trim() }), ...(isOneAtATime && { one_at_a_time: true }) };
      await startJob({ action, filter, ...(!isDrop && way) });
      done();
      begun?.();
      close();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={`${verb} ${deadLetters(number)}?`} close={close}>
      <form onSubmit={start}>
        <p>{which}</p>
        {isDrop ? (
          <p class="warning">
            {canUndo
              ? 'They are deleted after 10 seconds. Until then you can undo it.'
              : 'They are deleted at once, and there is no undo.'}
          </p>
        ) : (
          <>
            <label>
              To the queue
              <input
                value={to}
                onInput={(event) => setTo(event.currentTarget.value)}
                placeholder="the queue in which each failed"
                autocomplete="off"
              />
            </label>
            {number > 1 && (
              <label class="check">
                <input
                  type="checkbox"
                  checked={isOneAtATime}
                  onChange={(event) => setOneAtATime(event.currentTarget.checked)}
                />
                One at a time: slower, but an interruption doubles one at most, and not up to 100
              </label>
            )}
          </>
        )}
        {problem !== undefined && <Failed problem={problem} />}
        <p class="buttons">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class={isDrop ? 'danger' : 'primary'} disabled={isBusy}>
            {verb} {count(number)}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
