import type { TopologyEdge, TopologyMap, TopologyNode } from '../../api-live-types.ts';

/** Sizes in pixels. */
const [nodeWidth, nodeHeight, rowGap, columnGap, margin] = [210, 34, 16, 130, 16];
const columns: TopologyNode['kind'][] = ['exchange', 'queue', 'function'];
/** Passes over the columns; the order hardly changes after these. */
const passes = 6;

export interface PlacedNode extends TopologyNode {
  x: number;
  y: number;
}

export interface PlacedEdge extends TopologyEdge {
  /** Path of the line. */
  path: string;
}

/** A map with positions. */
export interface Layout {
  nodes: PlacedNode[];
  edges: PlacedEdge[];
  width: number;
  height: number;
  nodeWidth: number;
  nodeHeight: number;
}

/**
 * Places exchanges, queues and functions in a column each, because messages flow from left to right. In a column, a node is near
 * the middle of its neighbors, so that few lines cross.
 */
export function layoutOf({ nodes, edges }: TopologyMap): Layout {
  const neighbors = neighborsOf(edges);
  const used = columns.filter((kind) => nodes.some((node) => node.kind === kind));
  let ordered = used.map((kind) => nodes.filter((node) => node.kind === kind));
  for (let pass = 0; pass < passes; pass += 1) {
    const rows = new Map(
      ordered.flatMap((column) => column.map(({ id }, row) => [id, row / column.length] as const)),
    );
    const turn = pass % ordered.length;
    ordered = ordered.map((column, n) => (n === turn ? sorted(column, rows, neighbors) : column));
  }
  const tallest = Math.max(...ordered.map(({ length }) => length), 1);
  const step = nodeHeight + rowGap;
  const placed = ordered.flatMap((column, n) => {
    const top = margin + ((tallest - column.length) * step) / 2;
    return column.map((node, row) => ({
      ...node,
      x: margin + n * (nodeWidth + columnGap),
      y: top + row * step,
    }));
  });
  const byId = new Map(placed.map((node) => [node.id, node]));
  return {
    nodes: placed,
    edges: edges.flatMap((edge) => {
      const [from, to] = [byId.get(edge.from), byId.get(edge.to)];
      return from && to ? [{ ...edge, path: pathOf(from, to) }] : [];
    }),
    width: 2 * margin + used.length * nodeWidth + Math.max(used.length - 1, 0) * columnGap,
    height: 2 * margin + tallest * step - rowGap,
    nodeWidth,
    nodeHeight,
  };
}

function neighborsOf(edges: readonly TopologyEdge[]): Map<string, string[]> {
  const neighbors = new Map<string, string[]>();
  const add = (id: string, other: string) => neighbors.set(id, [...(neighbors.get(id) ?? []), other]);
  for (const { from, to } of edges) {
    add(from, to);
    add(to, from);
  }
  return neighbors;
}

function sorted(
  column: TopologyNode[],
  rows: ReadonlyMap<string, number>,
  neighbors: ReadonlyMap<string, string[]>,
): TopologyNode[] {
  const middle = ({ id }: TopologyNode): number => {
    const places = (neighbors.get(id) ?? []).map((each) => rows.get(each) ?? 0);
    if (places.length === 0) return rows.get(id) ?? 0;
    return places.reduce((sum, place) => sum + place, 0) / places.length;
  };
  return [...column].sort((a, b) => middle(a) - middle(b) || a.name.localeCompare(b.name));
}

function pathOf(from: PlacedNode, to: PlacedNode): string {
  const [startY, endY] = [from.y + nodeHeight / 2, to.y + nodeHeight / 2];
  const startX = from.x + nodeWidth;
  // A line in the same column, or back to an earlier one, leaves and arrives on the right.
  if (to.x <= from.x) {
    const endX = to.x + nodeWidth;
    const bend = Math.max(startX, endX) + 40;
    return `M${startX} ${startY}C${bend} ${startY} ${bend} ${endY} ${endX} ${endY}`;
  }
  const half = (startX + to.x) / 2;
  return `M${startX} ${startY}C${half} ${startY} ${half} ${endY} ${to.x} ${endY}`;
}
