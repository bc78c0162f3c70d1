import { useMemo, useState } from 'preact/hooks';
import type { TopologyMap } from '../../api-live-types.ts';
import { rate } from '../format.tsx';
import { useKeys } from '../keys.ts';
import { usePolling } from '../polling.ts';
import { Empty, Failed, Loading } from '../states.tsx';
import { layoutOf, type PlacedEdge, type PlacedNode } from './layout.ts';

/** Exchanges, queues and functions, with the messages that flow between them. */
export function MapView() {
  const { data, problem } = usePolling<TopologyMap>('/api/topology', 3000);
  if (!data)
    return problem === undefined ? <Loading label="Loading the map" /> : <Failed problem={problem} isView />;
  if (data.nodes.length === 0) {
    return (
      <Empty title="No topology" isView>
        <p>This virtual host has no exchange, queue or function that the board knows.</p>
      </Empty>
    );
  }
  const hasRates = data.edges.some((edge) => edge.rate !== null);
  const unknown = data.edges.length === 0 ? 'No exchange is bound to them.' : 'The flow is not known here.';
  return (
    <section class="page" aria-labelledby="map-title">
      <h1 id="map-title">Map</h1>
      <p class="muted">
        Exchanges, their queues, and the functions that these feed.{' '}
        {hasRates ? 'A line moves while messages flow; the wider, the more.' : unknown} Select one to see its
        lines only.
      </p>
      {problem !== undefined && <Failed problem={problem} />}
      <Drawing map={data} />
      <details class="as-text">
        <summary>The map as text</summary>
        <EdgeTable map={data} />
      </details>
    </section>
  );
}

function Drawing({ map }: { map: TopologyMap }) {
  const [chosen, setChosen] = useState<string>();
  const layout = useMemo(() => layoutOf(map), [map]);
  useKeys({ Escape: () => setChosen(undefined) });
  const isNear = ({ from, to }: PlacedEdge) => from === chosen || to === chosen;
  const near = new Set(layout.edges.filter(isNear).flatMap(({ from, to }) => [from, to]));
  const pale = (is: boolean) => (chosen === undefined || is ? '' : ' pale');
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard scrolls what has the focus.
    <section class="map" aria-label="Map, can be scrolled" tabIndex={0}>
      <svg viewBox={`0 0 ${layout.width} ${layout.height}`} width={layout.width} height={layout.height}>
        <title>Flow of the messages</title>
        {layout.edges.map((edge) => (
          <Line key={`${edge.from} ${edge.to} ${edge.key}`} edge={edge} className={pale(isNear(edge))} />
        ))}
        {layout.nodes.map((node) => (
          <Box
            key={node.id}
            node={node}
            layout={layout}
            className={pale(node.id === chosen || near.has(node.id))}
            isChosen={node.id === chosen}
            choose={() => setChosen(node.id === chosen ? undefined : node.id)}
          />
        ))}
      </svg>
    </section>
  );
}

function Line({ edge, className }: { edge: PlacedEdge; className: string }) {
  const flow = edge.rate ?? 0;
  const width = flow > 0 ? Math.min(1.5 + Math.log10(1 + flow) * 2, 8) : 1.5;
  const text = [edge.key, edge.rate === null ? '' : `${rate(edge.rate)} per s`].filter(Boolean).join(', ');
  return (
    <g class={`edge${flow > 0 ? ' flows' : ''}${className}`}>
      <path d={edge.path} stroke-width={width} />
      {text && <title>{text}</title>}
    </g>
  );
}

interface BoxProps {
  node: PlacedNode;
  layout: { nodeWidth: number; nodeHeight: number };
  className: string;
  isChosen: boolean;
  choose: () => void;
}

/** Characters that fit in a box; the title has the whole name. */
const maxName = 27;

function Box({
  node: { kind, name, x, y },
  layout: { nodeWidth, nodeHeight },
  className,
  isChosen,
  choose,
}: BoxProps) {
  const shown = name === '' ? '(default exchange)' : name;
  const pressed = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    choose();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: SVG has no button.
    <g
      class={`node ${kind}${className}`}
      transform={`translate(${x} ${y})`}
      role="button"
      tabIndex={0}
      aria-pressed={isChosen}
      aria-label={`${kind} ${shown}`}
      onClick={choose}
      onKeyDown={pressed}
    >
      <rect width={nodeWidth} height={nodeHeight} rx={kind === 'queue' ? 4 : nodeHeight / 2} />
      <text x={nodeWidth / 2} y={nodeHeight / 2 + 4} text-anchor="middle">
        {shown.length > maxName ? `${shown.slice(0, maxName - 1)}…` : shown}
      </text>
      <title>{shown}</title>
    </g>
  );
}

function EdgeTable({ map: { nodes, edges } }: { map: TopologyMap }) {
  const names = new Map(nodes.map(({ id, kind, name }) => [id, `${kind} ${name}`]));
  return (
    <table class="rows">
      <thead>
        <tr>
          <th scope="col">From</th>
          <th scope="col">Key</th>
          <th scope="col">To</th>
          <th scope="col">Per s</th>
        </tr>
      </thead>
      <tbody>
        {edges.map(({ from, to, key, rate: flow }) => (
          <tr key={`${from} ${to} ${key}`}>
            <td>{names.get(from) ?? from}</td>
            <td>
              <code>{key}</code>
            </td>
            <td>{names.get(to) ?? to}</td>
            <td>{rate(flow)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
