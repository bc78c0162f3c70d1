import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Letter } from '../../api-types.ts';
import { get } from '../api.ts';
import { bytes } from '../format.tsx';
import { useKeys } from '../keys.ts';
import { go, linkTo } from '../route.ts';
import { Failed, Loading } from '../states.tsx';
import type { Planned } from './begun.ts';
import { Body } from './body.tsx';
import { EditDialog } from './edit.tsx';
import { ErrorText } from './error-text.tsx';
import { type ListFilter, parametersOf } from './filter.ts';
import { EndNote } from './gone.tsx';
import { HeaderTable } from './headers.tsx';
import { Reason } from './reason.tsx';
import { Story } from './story.tsx';
import { Trace } from './trace.tsx';

interface LetterProps {
  offset: number;
  /** Another value loads it anew. */
  version: number;
  /** The list from which it was opened. */
  filter: ListFilter | undefined;
  /** Whether it was opened from the list of what is gone. */
  isOfGone: boolean;
  isOperator: boolean;
  canEdit: boolean;
  previous: () => void;
  next: () => void;
  plan: (planned: Planned) => void;
}

/** A dead letter whole. */
export function LetterView(props: LetterProps) {
  const { offset, version, filter, isOfGone, previous, next } = props;
  const [letter, setLetter] = useState<Letter>();
  const [problem, setProblem] = useState<unknown>();
  /** Another number loads it anew. */
  const [loads, setLoads] = useState(0);
  const again = () => setLoads((n) => n + 1);
  const list = filter ? linkTo('letters', parametersOf(filter)) : linkTo('letters');
  const back = isOfGone ? linkTo('gone') : list;
  useKeys({ Escape: () => go(back), j: next, ArrowRight: next, k: previous, ArrowLeft: previous });
  // Another version loads it anew.
  useEffect(() => {
    const stop = new AbortController();
    get<Letter>(`/api/letters/${offset}`, stop.signal).then(
      (found) => {
        setLetter(found);
        setProblem(undefined);
      },
      (error: unknown) => {
        if (!stop.signal.aborted) setProblem(error);
      },
    );
    return () => stop.abort();
  }, [offset, version, loads]);
  return (
    <section class="letter" aria-labelledby="letter-title">
      <p class="letter-nav">
        <a class="back is-shown" href={back}>
          Back to the list
        </a>
        {filter && (
          <span class="buttons">
            <button type="button" onClick={previous} aria-keyshortcuts="k">
              Previous
            </button>
            <button type="button" onClick={next} aria-keyshortcuts="j">
              Next
            </button>
          </span>
        )}
      </p>
      {problem !== undefined && <Failed problem={problem} isView={!letter} again={again} />}
      {letter ? (
        <Whole {...props} letter={letter} edited={again} />
      ) : (
        problem === undefined && <Loading label="Loading the dead letter" />
      )}
    </section>
  );
}

function Whole({
  letter,
  isOperator,
  canEdit,
  plan,
  edited,
}: LetterProps & { letter: Letter; edited: () => void }) {
  const { id, queue, reason, error, is_gone: isGone, headers, body, bodyEncoding, contentType } = letter;
  const title = useRef<HTMLHeadingElement>(null);
  const [isEditing, setEditing] = useState(false);
  // A screen reader begins with the dead letter that was opened.
  // Another dead letter is read from its title.
  useLayoutEffect(() => title.current?.focus({ preventScroll: true }), [id]);
  const ask = (action: Planned['action']) => () => {
    if (!isOperator || isGone) return;
    // Others may have the same id, in another queue or with another error.
    plan({ action, filter: filterOfLetter(letter, canEdit), number: 1, which: `The one with the id ${id}.` });
  };
  const edit = () => setEditing(isOperator && canEdit && !isGone);
  useKeys({ r: ask('replay'), d: ask('drop'), e: edit });
  return (
    <>
      <header>
        <h1 id="letter-title" tabIndex={-1} ref={title}>
          {error?.split('\n', 1)[0] ?? reason}
        </h1>
        <p class="facts">
          <span class="queue">{queue}</span>
          <Reason reason={reason} />
          {isGone && <span class="tag gone">{letter.end?.ending ?? 'gone'}</span>}
          <code class="id">{id}</code>
        </p>
        {isGone && <EndNote end={letter.end ?? null} queue={queue} />}
        {isOperator && !isGone && (
          <p class="buttons">
            <button type="button" class="primary" onClick={ask('replay')} aria-keyshortcuts="r">
              Replay
            </button>
            {canEdit && (
              <button type="button" onClick={edit} aria-keyshortcuts="e">
                Edit and replay
              </button>
            )}
            <button type="button" class="danger" onClick={ask('drop')} aria-keyshortcuts="d">
              Drop
            </button>
          </p>
        )}
      </header>
      <section aria-labelledby="body-title">
        <h2 id="body-title">
          Body <small>{[contentType, bytes(letter.bytes)].filter(Boolean).join(', ')}</small>
        </h2>
        <Body body={body} encoding={bodyEncoding} type={contentType} />
      </section>
      {error !== undefined && <ErrorText error={error} />}
      <Story letter={letter} />
      <Trace headers={headers} />
      <section aria-labelledby="headers-title">
        <h2 id="headers-title">Headers</h2>
        <HeaderTable headers={headers} />
      </section>
      {isEditing && <EditDialog letter={letter} close={() => setEditing(false)} replayed={edited} />}
    </>
  );
}

/** An older board cannot select a position. */
function filterOfLetter(
  { offset, id, queue, reason, error }: Letter,
  hasOffsets: boolean,
): Planned['filter'] {
  if (hasOffsets) return { offset: [offset] };
  return { id, queue, reason, ...(error !== undefined && { error_is: error.split('\n', 1)[0] }) };
}
