import * as z from 'zod';
import type { ManagementApi } from '../../topology/management.ts';
import type { LiveQueue, TopologyEdge, TopologyMap, TopologyNode } from '../api-live-types.ts';
import type { ServiceView } from './service-view.ts';

/** A binding of an exchange to a queue or to another exchange. */
interface Link {
  source: string;
  destination: string;
  kind: 'queue' | 'exchange';
  key: string;
}

const managedLinks = () =>
  z.array(
    z.object({
      source: z.string(),
      destination: z.string(),
      destination_type: z.enum(['queue', 'exchange']),
      routing_key: z.string(),
    }),
  );

/**
 * Returns the bindings of a virtual host, without those of the default exchange.
 *
 * @throws as the methods of `managementApi`.
 */
export async function readLinks(api: ManagementApi, vhost: string): Promise<Link[]> {
  const found = (await api.get(`bindings/${vhost}`, managedLinks())) ?? [];
  return found
    .filter(({ source }) => source !== '')
    .map(({ source, destination, destination_type: kind, routing_key: key }) => ({
      source,
      destination,
      kind,
      key,
    }));
}

/** The bindings that a manifest declares. */
export const linksOf = ({ topology: { bindings, partitioned = [] } }: ServiceView): Link[] =>
  [
    ...bindings,
    // A queue with partitions is not bound itself, but shown.
    ...partitioned.flatMap(({ queue, sources }) => sources.map((each) => ({ queue, ...each }))),
  ].map(({ exchange, queue, routingKey }) => ({
    source: exchange,
    destination: queue,
    kind: 'queue',
    key: routingKey,
  }));

/**
 * Draws exchanges, queues and functions with what flows between them.
 *
 * @param queues those that are shown, with their rates.
 */
export function drawMap(links: readonly Link[], queues: readonly LiveQueue[]): TopologyMap {
  const nodes = new Map<string, TopologyNode>();
  const edges: TopologyEdge[] = [];
  const node = (kind: TopologyNode['kind'], name: string): string => {
    const id = `${kind}:${name}`;
    nodes.set(id, { id, kind, name });
    return id;
  };
  const shown = new Map(queues.map((queue) => [queue.name, queue]));
  // Those of this package take replays and retries home, and every queue has one.
  const isShown = ({ source, kind, destination }: Link) =>
    !source.startsWith('warren.') && (kind === 'exchange' || shown.has(destination));
  const meant = withoutEnds(links.filter(isShown));
  const fed = new Map<string, number>();
  for (const { kind, destination } of meant)
    if (kind === 'queue') fed.set(destination, (fed.get(destination) ?? 0) + 1);
  for (const { source, destination, kind, key } of meant) {
    // With several bindings, the broker does not report which of them a message took.
    const rate =
      kind === 'queue' && fed.get(destination) === 1 ? (shown.get(destination)?.rate_in ?? null) : null;
    edges.push({ from: node('exchange', source), to: node(kind, destination), key, rate });
  }
  for (const { name, functions, rate_out: out } of queues) {
    const from = node('queue', name);
    const rate = functions.length === 1 ? out : null;
    for (const each of functions) edges.push({ from, to: node('function', each), key: '', rate });
  }
  return { nodes: [...nodes.values()], edges };
}

/** Leaves out exchanges that lead to no queue that is shown. */
function withoutEnds(links: readonly Link[]): Link[] {
  const sources = new Set(links.map(({ source }) => source));
  const left = links.filter(({ kind, destination }) => kind === 'queue' || sources.has(destination));
  return left.length === links.length ? left : withoutEnds(left);
}
