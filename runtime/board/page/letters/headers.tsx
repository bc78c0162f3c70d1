/** Headers as a table, in the order of their names. */
export function HeaderTable({ headers }: { headers: Record<string, unknown> }) {
  const names = Object.keys(headers).sort();
  if (names.length === 0) return <p class="muted">None.</p>;
  return (
    <dl class="headers">
      {names.map((name) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{textOf(headers[name])}</dd>
        </div>
      ))}
    </dl>
  );
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value, null, 1) ?? '');
}
