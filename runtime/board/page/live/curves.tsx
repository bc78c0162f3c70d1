import { useEffect, useRef, useState } from 'preact/hooks';
import type { History, HistoryQueue } from '../../api-live-types.ts';
import { count, rate } from '../format.tsx';
import { usePolling } from '../polling.ts';
import { Failed, Loading } from '../states.tsx';
import type { Chart } from './chart.ts';
import type { ChartLine } from './chart-data.ts';

/** The last hour or day of a queue. */
export function Curves({ queue }: { queue: string }) {
  const [range, setRange] = useState<History['range']>('hour');
  const { data, problem } = usePolling<History>(`/api/history?range=${range}`, 10_000);
  const own = data?.queues.find(({ name }) => name === queue);
  return (
    <section class="curves" aria-labelledby="curves-title">
      <div class="page-head">
        <h2 id="curves-title">{queue}</h2>
        <p class="switch">
          <button type="button" aria-pressed={range === 'hour'} onClick={() => setRange('hour')}>
            Hour
          </button>
          <button type="button" aria-pressed={range === 'day'} onClick={() => setRange('day')}>
            Day
          </button>
        </p>
      </div>
      {problem !== undefined && <Failed problem={problem} />}
      {!data && problem === undefined && <Loading label="Loading the curves" rows={3} />}
      {data && !own && (
        <p class="muted">No values of this queue yet; the board collects them while it runs.</p>
      )}
      {own && <Charts history={own} />}
    </section>
  );
}

function Charts({ history }: { history: HistoryQueue }) {
  const { at, waiting, rate_in: rateIn, rate_out: rateOut, dead_letters: dead } = history;
  const hasRates = rateIn.some((value) => value !== null);
  return (
    <div class="charts">
      {hasRates && (
        <ChartFigure
          title="Messages per second"
          at={at}
          lines={[
            { name: 'in', values: rateIn, color: '--accent' },
            { name: 'out', values: rateOut, color: '--second' },
          ]}
        />
      )}
      <ChartFigure
        title="Waiting"
        areCounts
        at={at}
        lines={[{ name: 'waiting', values: waiting, color: '--accent' }]}
      />
      <ChartFigure
        title="Dead letters"
        areCounts
        at={at}
        lines={[{ name: 'dead letters', values: dead, color: '--bad' }]}
      />
    </div>
  );
}

interface FigureProps {
  title: string;
  at: number[];
  lines: ChartLine[];
  areCounts?: boolean;
}

/** A chart with its last values as text, which also a screen reader has. */
function ChartFigure({ title, at, lines, areCounts = false }: FigureProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart | undefined>(undefined);
  const newest = useRef({ at, lines, areCounts });
  newest.current = { at, lines, areCounts };
  // The chart is made once, and gets new values below.
  useEffect(() => {
    let isOver = false;
    void import('./chart.ts').then(({ createChart }) => {
      if (isOver || !place.current) return;
      chart.current = createChart(place.current, newest.current);
    });
    return () => {
      isOver = true;
      chart.current?.close();
    };
  }, []);
  useEffect(() => chart.current?.show({ at, lines, areCounts }), [at, lines, areCounts]);
  const most = Math.max(0, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0)));
  return (
    <figure>
      <figcaption>
        <strong>{title}</strong>
        {lines.map(({ name, values, color }) => (
          <span key={name} class={`legend ${color.slice(2)}`}>
            {lines.length > 1 && `${name} `}
            {rate(values.at(-1) ?? null)}
          </span>
        ))}
        <span class="muted">highest {count(Math.round(most * 10) / 10)}</span>
      </figcaption>
      <div class="chart" ref={place} aria-hidden="true" />
    </figure>
  );
}
