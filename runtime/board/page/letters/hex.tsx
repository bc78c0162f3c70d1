const [perLine, maxLines] = [16, 256];

/** Bytes in lines of 16, with their printable characters. */
export function Hex({ bytes }: { bytes: Uint8Array }) {
  const lines = Math.min(Math.ceil(bytes.length / perLine), maxLines);
  const text = Array.from({ length: lines }, (_, n) => lineOf(bytes, n * perLine)).join('\n');
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard scrolls what has the focus. */}
      <pre class="hex" tabIndex={0}>
        {text}
      </pre>
      {lines * perLine < bytes.length && <p class="muted">The first {lines * perLine} bytes.</p>}
    </>
  );
}

function lineOf(bytes: Uint8Array, at: number): string {
  const line = [...bytes.subarray(at, at + perLine)];
  const hex = line.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const text = line.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·')).join('');
  return `${at.toString(16).padStart(6, '0')}  ${hex.padEnd(perLine * 3)} ${text}`;
}
