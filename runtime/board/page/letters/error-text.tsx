const inPackages = /node_modules|node:internal|\(node:/;

/** An error with its stack. The lines of packages and of Node are pale, because the failure is rarely there. */
export function ErrorText({ error }: { error: string }) {
  const [first = '', ...stack] = error.split('\n');
  return (
    <section aria-labelledby="error-title">
      <h2 id="error-title">Error</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard scrolls what has the focus. */}
      <pre class="stack" tabIndex={0}>
        <strong>{first}</strong>
        {stack.map((line, n) => (
          <span key={n} class={inPackages.test(line) ? 'foreign' : ''}>
            {`\n${line}`}
          </span>
        ))}
      </pre>
    </section>
  );
}
