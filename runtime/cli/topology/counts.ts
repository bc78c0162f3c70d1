import type { Live, LiveLimit, LiveQueue } from '../../board/api-live-types.ts';
import type { Topology } from '../../topology/compile.ts';
import { spoken } from '../spoken.ts';
import { table } from '../table.ts';

/** What waits at the broker, as the board shows it. */
export type Counts = Pick<Live, 'queues' | 'scheduled' | 'problem'>;

/**
 * Counts what waits in the queues of a topology.
 *
 * @param options.url AMQP URL of the broker.
 * @param options.managementUrl URL of the management API; without it, messages in flight are unknown.
 * @param options.metrics URLs of workers' metrics, for the keys of partitions; default none.
 */
export async function readCounts(options: {
  topology: Topology;
  url: string;
  managementUrl?: string | undefined;
  metrics?: readonly string[] | undefined;
}): Promise<Counts> {
  const { topology, url, managementUrl, metrics = [] } = options;
  const [{ FunctionMetrics }, { LiveSource }] = await Promise.all([
    import('../../board/live/function-metrics.ts'),
    import('../../board/live/live-source.ts'),
  ]);
  const source = new LiveSource({
    url,
    managementUrl,
    service: { topology, functions: new Map() },
    metrics: new FunctionMetrics(metrics),
    deadLetters: () => new Map(),
  });
  try {
    const { queues, scheduled, problem } = await source.read();
    const declared = new Set(topology.queues.map(({ name }) => name));
    return { queues: queues.filter(({ name }) => declared.has(name)), scheduled, problem };
  } finally {
    await source.close();
  }
}

const shown = (value: number | null | undefined): string =>
  value === null || value === undefined ? '' : String(value);

const limitText = ({ count, seconds, free, waiting }: LiveLimit): string =>
  `${count} in ${seconds} s, ${waiting > 0 ? `${waiting} wait for it` : `${free ?? 'unknown'} free`}`;

const queueTable = (queues: readonly LiveQueue[]): string =>
  table(
    ['queue', 'waiting', 'in flight', 'retrying', 'limit'],
    queues.map(({ name, waiting, in_flight: inFlight, retrying, retries, limit }) => [
      ...[name, shown(waiting), shown(inFlight)],
      [shown(retrying), ...retries.map((each) => `${each.waiting} in ${each.seconds} s`)].join('\n'),
      limit ? limitText(limit) : '',
    ]),
  );

function partitionTable(queues: readonly LiveQueue[]): string[] {
  const partitions = queues.flatMap((queue) => queue.partitions ?? []);
  if (partitions.length === 0) return [];
  return [
    table(
      [
        'partition',
        'waiting',
        'in flight',
        'over their share',
        'keys that run',
        'keys that wait',
        'keys that retry',
      ],
      partitions.map(({ name, waiting, in_flight: inFlight, parked, keys }) => [
        ...[name, shown(waiting), shown(inFlight), shown(parked)],
        ...[shown(keys?.running), shown(keys?.waiting), shown(keys?.retrying)],
      ]),
    ),
  ];
}

function scheduledTable({ scheduled }: Counts): string[] {
  if (!scheduled) return [];
  const { total, levels, held } = scheduled;
  return [
    `${total} delayed messages wait`,
    ...(levels.length > 0
      ? [
          table(
            ['due within', 'messages'],
            levels.map(({ due_within_ms: ms, waiting }) => [spoken(ms / 1000), String(waiting)]),
          ),
        ]
      : []),
    ...held.map(({ kind, name, waiting }) => `${waiting} are due, and ${kind} "${name}" does not take them`),
  ];
}

/** The counts as tables. */
export const describeCounts = (counts: Counts): string =>
  [
    queueTable(counts.queues),
    ...partitionTable(counts.queues),
    ...scheduledTable(counts),
    ...(counts.problem === null ? [] : [counts.problem]),
  ].join('\n');
