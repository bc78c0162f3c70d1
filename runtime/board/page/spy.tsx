import { useEffect, useState } from 'preact/hooks';
import type { Spied, SpySkipped } from '../api-live-types.ts';
import { stream } from './api.ts';
import { bytes } from './format.tsx';
import { Body } from './letters/body.tsx';
import { HeaderTable } from './letters/headers.tsx';
import { Empty, Failed } from './states.tsx';

/** Messages that are shown; older ones leave the list. */
const maxShown = 200;

interface Target {
  exchange: string;
  routingKey: string;
  text: string;
}

type Row = Spied & { number: number };

/** The tail of a binding: copies of the messages that an exchange routes by a key. */
export function SpyView() {
  const [target, setTarget] = useState<Target>();
  return (
    <section class="page" aria-labelledby="spy-title">
      <h1 id="spy-title">Spy</h1>
      <p class="muted">
        Shows copies of the messages that an exchange routes by a key, from now on. The messages themselves go
        where they always go.
      </p>
      <form
        class="fields"
        onSubmit={(event) => {
          event.preventDefault();
          const data = new FormData(event.currentTarget);
          const text = (name: string) => String(data.get(name) ?? '');
          setTarget({ exchange: text('exchange'), routingKey: text('key') || '#', text: text('text') });
        }}
      >
        <label>
          Exchange
          <input name="exchange" required placeholder="orders" autocomplete="off" />
        </label>
        <label>
          Routing key
          <input name="key" placeholder="# (all)" autocomplete="off" />
        </label>
        <label>
          With the text
          <input name="text" type="search" autocomplete="off" />
        </label>
        <p class="buttons">
          <button type="submit" class="primary">
            {target ? 'Start again' : 'Start'}
          </button>
          {target && (
            <button type="button" onClick={() => setTarget(undefined)}>
              Stop
            </button>
          )}
        </p>
      </form>
      {target ? (
        <Tail key={JSON.stringify(target)} {...target} />
      ) : (
        <Empty title="Not spying">
          <p>Enter an exchange, and its messages appear here as they come.</p>
        </Empty>
      )}
    </section>
  );
}

function Tail({ exchange, routingKey, text }: Target) {
  const [rows, setRows] = useState<Row[]>([]);
  const [skipped, setSkipped] = useState(0);
  const [problem, setProblem] = useState<unknown>();
  useEffect(() => {
    const stop = new AbortController();
    let number = 0;
    const query = new URLSearchParams({ exchange, key: routingKey, ...(text && { text }) });
    const received = (event: Spied | SpySkipped) => {
      if ('skipped' in event) return setSkipped((sum) => sum + event.skipped);
      number += 1;
      const row = { ...event, number };
      setRows((old) => [row, ...old].slice(0, maxShown));
    };
    void stream<Spied | SpySkipped>(`/api/spy?${query}`, received, setProblem, stop.signal);
    return () => stop.abort();
  }, [exchange, routingKey, text]);
  if (problem !== undefined) return <Failed problem={problem} />;
  return (
    <>
      <p class="muted" role="status">
        {rows.length === 0 ? `Waiting for messages of ${exchange}…` : `The last ${rows.length} messages`}
        {skipped > 0 && `; ${skipped} more came too fast to be shown`}
      </p>
      <ol class="tail">
        {rows.map((row) => (
          <li key={row.number}>
            <details>
              <summary>
                <time dateTime={row.at}>{row.at.slice(11, 23)}</time> <strong>{row.routing_key}</strong>{' '}
                <span class="muted">{bytes(row.bytes)}</span> <code>{row.body_preview.slice(0, 120)}</code>
              </summary>
              <HeaderTable headers={{ 'message id': row.message_id, ...row.headers }} />
              <Body body={row.body_preview} encoding="utf-8" type={undefined} />
            </details>
          </li>
        ))}
      </ol>
    </>
  );
}
