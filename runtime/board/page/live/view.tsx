import { useEffect, useState } from 'preact/hooks';
import type { Live } from '../../api-live-types.ts';
import { stream } from '../api.ts';
import { count, rate, When } from '../format.tsx';
import type { Route } from '../route.ts';
import { Empty, Failed, Loading } from '../states.tsx';
import { Curves } from './curves.tsx';
import { FunctionTable } from './functions.tsx';
import { Partitions } from './partitions.tsx';
import { QueueTable } from './queues.tsx';
import { Scheduled } from './scheduled.tsx';

/** Queues and functions now, and the last hour or day of a queue as curves. */
export function LiveView({ route, hasHistory }: { route: Route; hasHistory: boolean }) {
  const [live, setLive] = useState<Live>();
  const [problem, setProblem] = useState<unknown>();
  useEffect(() => {
    const stop = new AbortController();
    const received = (next: Live) => setLive((old) => latest(old, next));
    void stream<Live>('/api/live', received, setProblem, stop.signal);
    return () => stop.abort();
  }, []);
  if (!live)
    return problem === undefined ? (
      <Loading label="Loading the queues" />
    ) : (
      <Failed problem={problem} isView />
    );
  if (live.queues.length === 0) {
    // Without an answer of the broker, it is unknown whether there are any.
    if (live.problem !== null) {
      return (
        <Empty title="No queue is known" isView>
          <p>{live.problem}</p>
        </Empty>
      );
    }
    return (
      <Empty title="No queues" isView>
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
      {live.problem !== null && (
        <p class="note" role="status">
          {live.problem}
        </p>
      )}
      <Totals live={live} />
      {hasHistory && chosen !== undefined && <Curves queue={chosen} />}
      <QueueTable queues={live.queues} chosen={hasHistory ? chosen : undefined} />
      {live.functions.length > 0 && <FunctionTable functions={live.functions} />}
      <Partitions queues={live.queues} />
      {live.scheduled && <Scheduled scheduled={live.scheduled} />}
    </section>
  );
}

/** Without an answer of the broker, the last numbers stay, with their time and with what is wrong. */
function latest(old: Live | undefined, next: Live): Live {
  const isUnknown = next.queues.length === 0 && next.problem !== null;
  return old && isUnknown ? { ...old, problem: next.problem } : next;
}

function busiest({ queues }: Live) {
  const weight = (each: Live['queues'][number]) => (each.rate_in ?? 0) * 1000 + each.waiting;
  return [...queues].sort((a, b) => weight(b) - weight(a))[0];
}

function Totals({ live: { queues, scheduled } }: { live: Live }) {
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
    ...(scheduled ? ([['scheduled', count(scheduled.total)]] satisfies [string, string][]) : []),
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
