import { useEffect, useRef, useState } from 'preact/hooks';
import { Failed } from '../states.tsx';
import type { Editor } from './editor.ts';

/** A field for a body. Its editor is loaded when it is needed. */
export function BodyEditor({ text, ready }: { text: string; ready: (editor: Editor) => void }) {
  const place = useRef<HTMLDivElement>(null);
  const [problem, setProblem] = useState<unknown>();
  // The editor is made once.
  useEffect(() => {
    let editor: Editor | undefined;
    let isOver = false;
    import('./editor.ts').then(({ createEditor }) => {
      if (isOver || !place.current) return;
      editor = createEditor(place.current, { text, label: 'Body' });
      ready(editor);
    }, setProblem);
    return () => {
      isOver = true;
      editor?.close();
    };
  }, []);
  if (problem !== undefined) return <Failed problem={problem} />;
  return <div class="editor" ref={place} />;
}
