import { useRef, useState } from 'preact/hooks';
import type { EditedReplay, EditedReplayed } from '../../api-job-types.ts';
import type { Letter } from '../../api-types.ts';
import { announce } from '../announce.tsx';
import { post } from '../api.ts';
import { Dialog } from '../dialog.tsx';
import { Failed } from '../states.tsx';
import { useUnsent } from '../unsent.ts';
import type { Draft } from './begun.ts';
import { BodyEditor } from './body-editor.tsx';
import { textToBase64 } from './bytes.ts';
import type { Editor } from './editor.ts';

interface EditProps {
  letter: Letter;
  /** What was written earlier. */
  draft?: Draft | undefined;
  close: () => void;
  replayed: () => void;
}

const isOwn = (name: string): boolean => name.startsWith('x-warren-') || name.startsWith('x-death');

/** Edits a dead letter and replays it as a new message. */
export function EditDialog({ letter, draft, close, replayed }: EditProps) {
  const { offset, queue, contentType = '', body, bodyEncoding } = letter;
  const own = Object.entries(letter.headers).filter(([name]) => !isOwn(name));
  const headersText = JSON.stringify(Object.fromEntries(own), null, 2);
  const [editor, setEditor] = useState<Editor>();
  const [problem, setProblem] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  /** The text that is not JSON any more, and about which the user knows. */
  const [known, setKnown] = useState<string>();
  const form = useRef<HTMLFormElement>(null);
  const field = (name: string) => {
    const data = new FormData(form.current ?? undefined);
    return String(data.get(name) ?? '').trim();
  };
  const written = () => editor?.text() ?? draft?.body ?? body;
  const done = useUnsent(() => ({
    title: `Edited replay of ${letter.id}`,
    draft: {
      offset,
      to: field('to'),
      type: field('type'),
      body: bodyEncoding === 'base64' ? field('base64') : written(),
      headers: field('headers'),
    },
  }));
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const text = written();
    if (bodyEncoding === 'utf-8' && isJson(body) && !isJson(text) && text !== known) {
      setKnown(text);
      setProblem(new Error('body: it is not JSON any more. Replay again to send it as it is.'));
      return;
    }
    setBusy(true);
    try {
      const edited: EditedReplay = {
        body: bodyEncoding === 'base64' ? field('base64') : textToBase64(text),
        ...(field('to') !== queue && { to: field('to') }),
        ...(field('type') !== contentType && { content_type: field('type') }),
        ...(field('headers') !== headersText && { headers: headersOf(field('headers')) }),
      };
      const { message_id: id } = await post<EditedReplayed>(`/api/letters/${offset}/replay`, edited);
      done();
      announce(`Replayed as the new message ${id}`);
      replayed();
      close();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title="Edit and replay" close={close} isWide>
      <form onSubmit={submit} class="edit" ref={form}>
        <p class="muted">
          A new message with a new id is published, which names this dead letter. Then the dead letter is
          removed.
        </p>
        <div class="fields">
          <label>
            Queue
            <input name="to" defaultValue={draft?.to ?? queue} required autocomplete="off" />
          </label>
          <label>
            Content type
            <input
              name="type"
              defaultValue={draft?.type ?? contentType}
              placeholder="none"
              autocomplete="off"
            />
          </label>
        </div>
        {bodyEncoding === 'base64' ? (
          <label>
            Body in base64
            <textarea name="base64" defaultValue={draft?.body ?? body} rows={8} spellcheck={false} />
          </label>
        ) : (
          <BodyEditor text={draft?.body ?? body} ready={setEditor} />
        )}
        <details>
          <summary>Headers</summary>
          <textarea
            name="headers"
            aria-label="Headers as JSON"
            defaultValue={draft?.headers ?? headersText}
            rows={6}
            spellcheck={false}
          />
        </details>
        {problem !== undefined && <Failed problem={problem} />}
        <p class="buttons">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={isBusy || (bodyEncoding !== 'base64' && !editor)}>
            Replay the edited message
          </button>
        </p>
      </form>
    </Dialog>
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** @throws Error if the text is not an object in JSON. */
function headersOf(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text || '{}');
  } catch (cause) {
    throw new Error(
      `headers: expected JSON, ${cause instanceof Error ? cause.message : 'got something else'}`,
    );
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new Error('headers: expected an object in JSON, such as {"tenant": "a"}');
}
