import { useState } from 'preact/hooks';
import type { Letter } from '../api-types.ts';
import { get } from './api.ts';
import { Confirm } from './letters/confirm.tsx';
import { EditDialog } from './letters/edit.tsx';
import { Failed } from './states.tsx';
import { takeUnsent } from './unsent.ts';

/** States what was not done because the token had expired, and continues it. */
export function UnsentNote({ user, canUndo }: { user: string | null; canUndo: boolean }) {
  const [unsent, setUnsent] = useState(() => takeUnsent(user));
  const [isOpen, setOpen] = useState(false);
  const [letter, setLetter] = useState<Letter>();
  const [problem, setProblem] = useState<unknown>();
  if (!unsent) return null;
  const { title, planned, to, draft } = unsent;
  const close = () => setUnsent(undefined);
  const goOn = () => {
    setProblem(undefined);
    if (!draft) return setOpen(true);
    get<Letter>(`/api/letters/${draft.offset}`).then((found) => {
      setLetter(found);
      setOpen(true);
    }, setProblem);
  };
  return (
    <div class="note unsent" role="status">
      <p>
        <strong>{title}: not done.</strong> Your session had expired before it was sent.
      </p>
      {problem !== undefined && <Failed problem={problem} />}
      <p class="buttons">
        {(planned || draft) && (
          <button type="button" class="primary" onClick={goOn}>
            Continue
          </button>
        )}
        <button type="button" onClick={close}>
          {planned || draft ? 'Discard' : 'Close'}
        </button>
      </p>
      {isOpen && planned && <Confirm planned={planned} queue={to} canUndo={canUndo} close={close} />}
      {isOpen && letter && (
        <EditDialog letter={letter} draft={draft} close={close} replayed={() => undefined} />
      )}
    </div>
  );
}
