import { useEffect, useMemo, useState } from 'preact/hooks';
import { base64ToBytes, pictureType } from './bytes.ts';
import { parseExactly } from './exact-json.ts';
import { Hex } from './hex.tsx';
import { JsonTree } from './json-tree.tsx';

interface BodyProps {
  body: string;
  encoding: 'utf-8' | 'base64';
  type: string | undefined;
}

/** A body as a JSON tree, text, a picture or bytes. */
export function Body({ body, encoding }: BodyProps) {
  if (body === '') return <p class="muted">Empty.</p>;
  return encoding === 'base64' ? <Binary base64={body} /> : <Text text={body} />;
}

/** Characters of text that are shown at first. */
const maxText = 100_000;

function Text({ text }: { text: string }) {
  const [isRaw, setRaw] = useState(false);
  const [isWhole, setWhole] = useState(false);
  const json = useMemo(() => jsonOf(text), [text]);
  const shown = isWhole ? text : text.slice(0, maxText);
  return (
    <div class="body">
      {json && (
        <p class="switch">
          <button type="button" aria-pressed={!isRaw} onClick={() => setRaw(false)}>
            Tree
          </button>
          <button type="button" aria-pressed={isRaw} onClick={() => setRaw(true)}>
            Raw
          </button>
        </p>
      )}
      {json && !isRaw ? (
        <JsonTree value={json.value} />
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard scrolls what has the focus.
        <pre class="text" tabIndex={0}>
          {shown}
        </pre>
      )}
      {(!json || isRaw) && shown.length < text.length && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all
        </button>
      )}
    </div>
  );
}

/** The value of a text that is an object or a list in JSON. A number alone is better shown as it is. */
function jsonOf(text: string): { value: unknown } | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return { value: parseExactly(text) };
  } catch {
    return undefined;
  }
}

function Binary({ base64 }: { base64: string }) {
  const bytes = useMemo(() => base64ToBytes(base64), [base64]);
  const type = pictureType(bytes);
  const [address, setAddress] = useState<string>();
  useEffect(() => {
    const blob = new Blob([bytes], { type: type ?? 'application/octet-stream' });
    const url = URL.createObjectURL(blob);
    setAddress(url);
    return () => URL.revokeObjectURL(url);
  }, [bytes, type]);
  return (
    <div class="body">
      {type !== undefined && address !== undefined && <img class="picture" src={address} alt="The body" />}
      <details open={type === undefined}>
        <summary>Bytes</summary>
        <Hex bytes={bytes} />
      </details>
      {address !== undefined && (
        <a href={address} download="body">
          Download
        </a>
      )}
    </div>
  );
}
