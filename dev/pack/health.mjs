// The image's HEALTHCHECK: prints and returns whether the process in the container is ready for work.
const port = process.env.WARREN_METRICS_PORT || '9464';
const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(4000) })
  .then(async (response) => ({ ok: response.ok, text: await response.text() }))
  .catch((error) => ({ ok: false, text: `${error.cause?.code ?? error.name}\n` }));
process.stdout.write(answer.text);
process.exitCode = answer.ok ? 0 : 1;
