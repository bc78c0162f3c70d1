import { decode } from '../../amqp/uri.ts';
import { WarrenError } from '../../base/errors.ts';
import type { LiveKeys } from '../api-live-types.ts';

/** The address of a worker's metrics. */
export interface MetricsAddress {
  /** Without its login, which `fetch` refuses with an error that contains it. */
  url: string;
  headers: Record<string, string>;
}

/** Observations that are at most so large, by the upper limit of each bucket in seconds. */
export type Buckets = Map<number, number>;

/** The counters of a function, summed over its workers. */
export interface FunctionCounters {
  calls: number;
  failures: number;
  /** Durations of calls, and times in the queue. */
  durations: Buckets;
  queueTimes: Buckets;
}

/** The numbers of all workers. */
export interface WorkerNumbers {
  functions: Map<string, FunctionCounters>;
  /** Keys in hand, by queue and by the number of the partition. */
  keys: Map<string, Map<string, LiveKeys>>;
}

/** Time of a request in milliseconds. */
const timeoutMs = 2000;

/** @throws WarrenError ERR_CONFIG if the text is not a URL. The error does not contain it, because of the password. */
export function metricsAddress(text: string): MetricsAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new WarrenError('ERR_CONFIG', 'metrics: expected a URL such as http://worker:9464/metrics');
  const login = [url.username, url.password].map(decode).join(':');
  url.username = '';
  url.password = '';
  if (login === ':') return { url: url.href, headers: {} };
  // Basic authentication, RFC 7617.
  return { url: url.href, headers: { authorization: `Basic ${Buffer.from(login).toString('base64')}` } };
}

/** @throws Error if the worker does not answer with status 200 in time. */
export async function readMetrics({ url, headers }: MetricsAddress): Promise<string> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`expected status 200, got ${response.status}`);
  return response.text();
}

const line =
  /^(warren_call_duration_seconds_bucket|warren_message_queue_duration_seconds_bucket|warren_batches_total|warren_partition_keys)\{([^}]*)\} (\S+)/;

/** Adds the numbers of one worker's metrics in Prometheus's text format. */
export function addNumbers({ functions, keys }: WorkerNumbers, metrics: string): void {
  for (const each of metrics.split('\n')) {
    const [, metric, labelText = '', valueText] = line.exec(each) ?? [];
    if (metric === undefined) continue;
    const pairs = [...labelText.matchAll(/(\w+)="([^"]*)"/g)].map(
      ([, key = '', text = '']) => [key, text] as const,
    );
    const labels: Record<string, string> = Object.fromEntries(pairs);
    const value = Number(valueText);
    if (metric === 'warren_partition_keys') {
      addKeys(keys, labels, value);
      continue;
    }
    const name = labels['function'] ?? '';
    const counters = functions.get(name) ?? noCounters();
    functions.set(name, counters);
    if (metric === 'warren_batches_total') {
      counters.calls += value;
      if (labels['outcome'] === 'failed') counters.failures += value;
      continue;
    }
    const buckets =
      metric === 'warren_call_duration_seconds_bucket' ? counters.durations : counters.queueTimes;
    const limit = labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels['le']);
    buckets.set(limit, (buckets.get(limit) ?? 0) + value);
  }
}

const noCounters = (): FunctionCounters => ({
  calls: 0,
  failures: 0,
  durations: new Map(),
  queueTimes: new Map(),
});

function addKeys(keys: WorkerNumbers['keys'], labels: Record<string, string>, value: number): void {
  const { queue = '', partition = '', state = '' } = labels;
  if (state !== 'running' && state !== 'waiting' && state !== 'retrying') return;
  const partitions = keys.get(queue) ?? new Map<string, LiveKeys>();
  keys.set(queue, partitions);
  const counts = partitions.get(partition) ?? { running: 0, waiting: 0, retrying: 0 };
  partitions.set(partition, counts);
  counts[state] += value;
}
