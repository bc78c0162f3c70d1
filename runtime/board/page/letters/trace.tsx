import { useState } from 'preact/hooks';
import { announce } from '../announce.tsx';

/** W3C Trace Context: version, trace id, id of the parent span, flags. */
const traceparent = /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/;

/** The id of the trace to which a message belongs, with a button that copies it. */
export function Trace({ headers }: { headers: Record<string, unknown> }) {
  const [isCopied, setCopied] = useState(false);
  const id = traceparent.exec(String(headers['traceparent'] ?? ''))?.[1];
  if (id === undefined) return null;
  const copy = () => {
    void navigator.clipboard.writeText(id).then(() => {
      setCopied(true);
      announce('Trace id copied');
    });
  };
  return (
    <section aria-labelledby="trace-title">
      <h2 id="trace-title">Trace</h2>
      <p class="trace">
        <code>{id}</code>
        <button type="button" onClick={copy}>
          {isCopied ? 'Copied' : 'Copy'}
        </button>
      </p>
    </section>
  );
}
