import { useEffect, useState } from 'preact/hooks';
import type { Letter } from '../api-types.ts';
import { get } from './api.ts';
import { changeJob, showJobs, useJobs } from './jobs/store.ts';
import { summaryOf, titleOf } from './jobs/text.ts';
import { Confirm } from './letters/confirm.tsx';
import { EditDialog } from './letters/edit.tsx';
import { Failed } from './states.tsx';
import { takeKept, type Unsent, useUnsent } from './unsent.ts';

interface NoteProps {
  unsent: Unsent;
  canUndo: boolean;
  close: () => void;
}

interface ChangeProps extends NoteProps {
  change: NonNullable<Unsent['change']>;
}

/** States what was not done because the token had expired, and continues it. The jobs that were open are shown again. */
export function UnsentNotes({ user, canUndo }: { user: string | null; canUndo: boolean }) {
  const [all, setAll] = useState(() => {
    const { unsent, jobs } = takeKept(user);
    showJobs([...jobs.map(({ id }) => id), ...unsent.flatMap(({ change }) => change?.id ?? [])]);
    return unsent;
  });
  const closes = (title: string) => () => setAll((now) => now.filter((each) => each.title !== title));
  return (
    <>
      {all.map((unsent) => {
        const props = { unsent, canUndo, close: closes(unsent.title) };
        return unsent.change ? (
          <ChangeNote key={unsent.title} {...props} change={unsent.change} />
        ) : (
          <UnsentNote key={unsent.title} {...props} />
        );
      })}
    </>
  );
}

function UnsentNote({ unsent, canUndo, close }: NoteProps) {
  const [isOpen, setOpen] = useState(false);
  const [letter, setLetter] = useState<Letter>();
  const [problem, setProblem] = useState<unknown>();
  const { title, planned, to, oneAtATime, draft } = unsent;
  // The token may expire again. A dialog that is open keeps what it holds, which has the same title, after this.
  useUnsent(() => unsent);
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
        <button type="button" class="primary" onClick={goOn}>
          Continue
        </button>
        <button type="button" onClick={close}>
          Discard
        </button>
      </p>
      {isOpen && planned && (
        <Confirm planned={planned} queue={to} oneAtATime={oneAtATime} canUndo={canUndo} close={close} />
      )}
      {isOpen && letter && (
        <EditDialog letter={letter} draft={draft} close={close} replayed={() => undefined} />
      )}
    </div>
  );
}

/** Asks of the job what was asked of it before: it may be urgent, as an undo is. */
function ChangeNote({ unsent: { title }, change: { id, change }, close }: ChangeProps) {
  const [isSent, setSent] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const job = useJobs().jobs.find((each) => each.id === id);
  useEffect(() => {
    changeJob(id, change).then(() => setSent(true), setProblem);
  }, []);
  return (
    <div class="note unsent" role="status">
      <p>
        <strong>{title}</strong> was sent only now, because your session had expired.
        {isSent && job && ` ${titleOf(job)}: ${summaryOf(job)}.`}
      </p>
      {problem !== undefined && <Failed problem={problem} />}
      <p class="buttons">
        <button type="button" onClick={close}>
          Close
        </button>
      </p>
    </div>
  );
}
