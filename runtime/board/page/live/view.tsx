import { useEffect, useState } from 'preact/hooks';
import type { Live, LiveFunction } from '../../api-live-types.ts';
import { stream } from '../api.ts';
import { count, duration, rate, When } from '../format.tsx';
import type { Route } from '../route.ts';
import { Empty, Failed, Loading } from '../states.tsx';
import { Curves } from './curves.tsx';
import { QueueTable } from './queues.tsx';

/** Queues and functions now, and the last hour or day of a queue as curves. */
export function LiveView({ route, hasHistory }: { route: Route; hasHistory: boolean }) {
  const [live, setLive] = useState<Live>();
  const [problem, setProblem] = useState<unknown>();
  useEffect(() => {
    const stop = new AbortController();
    void stream<Live>('/api/live', setLive, setProblem, stop.signal);
    return () => stop.abort();
  }, []);
  if (!live)
    return problem === undefined ? <Loading label="Loading the queues" /> : <Failed problem={problem} />;
  if (live.queues.length === 0) {
    return (
      <Empty title="No queues">
        <p>This virtual host has no queue yet. It appears here as soon as it is declared.</p>
      </Empty>
    );
  }
  const chosen = route.query.get('queue') ?? busiest(live)?.name;
  return (
    <section class="page" aria-labelledby="live-title">
      <div class="page-head">
        <h1 id="live-title">Live</h1>
        <p class="muted">
          {problem === undefined ? 'as of' : 'not connected, as of'} <When at={live.at} />
        </p>
      </div>
      {problem !== undefined && <Failed problem={problem} />}
      {live.problem !== null && <p class="note">{live.problem}</p>}
      <Totals live={live} />
      {hasHistory && chosen !== undefined && <Curves queue={chosen} />}
      <QueueTable queues={live.queues} chosen={hasHistory ? chosen : undefined} />
      {live.functions.length > 0 && <FunctionTable functions={live.functions} />}
      {live.delays.length > 0 && (
        <section aria-labelledby="delays-title">
          <h2 id="delays-title">Waiting for a retry or a delay</h2>
          <dl class="delays">
            {live.delays.map(({ name, waiting }) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{count(waiting)}</dd>
              </div>
            ))}
          </dl>
        </section>
      )}
    </section>
  );
}

function busiest({ queues }: Live) {
  const weight = (each: Live['queues'][number]) => (each.rate_in ?? 0) * 1000 + each.waiting;
  return [...queues].sort((a, b) => weight(b) - weight(a))[0];
}

function Totals({ live: { queues } }: { live: Live }) {
  const sum = (of: (each: Live['queues'][number]) => number | null) =>
    queues.reduce((total, each) => total + (of(each) ?? 0), 0);
  const hasRates = queues.some((each) => each.rate_in !== null);
  const inFlight = queues.some((each) => each.in_flight !== null);
  const facts: [string, string][] = [
    ...(hasRates
      ? ([
          ['in per s', rate(sum((each) => each.rate_in))],
          ['out per s', rate(sum((each) => each.rate_out))],
        ] satisfies [string, string][])
      : []),
    ['waiting', count(sum((each) => each.waiting))],
    ...(inFlight ? ([['in flight', count(sum((each) => each.in_flight))]] satisfies [string, string][]) : []),
    ['dead letters', count(sum((each) => each.dead_letters))],
  ];
  return (
    <dl class="totals">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function FunctionTable({ functions }: { functions: LiveFunction[] }) {
  return (
    <section aria-labelledby="functions-title">
      <h2 id="functions-title">Functions</h2>
      <table class="rows numbers">
        <thead>
          <tr>
            <th scope="col">Function</th>
            <th scope="col">Calls per s</th>
            <th scope="col">Failures per s</th>
            <th scope="col">p50</th>
            <th scope="col">p95</th>
          </tr>
        </thead>
        <tbody>
          {functions.map((each) => (
            <tr key={each.name}>
              <th scope="row">{each.name}</th>
              <td data-name="calls per s">{rate(each.calls_per_s)}</td>
              <td data-name="failures per s" class={each.failures_per_s ? 'bad' : ''}>
                {rate(each.failures_per_s)}
              </td>
              <td data-name="p50">{duration(each.p50_ms)}</td>
              <td data-name="p95">{duration(each.p95_ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
