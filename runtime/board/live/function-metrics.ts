import type { LiveFunction, LiveKeys } from '../api-live-types.ts';
import {
  addNumbers,
  type Buckets,
  type FunctionCounters,
  type MetricsAddress,
  metricsAddress,
  readMetrics,
  type WorkerNumbers,
} from './worker-metrics.ts';

interface Sample {
  at: number;
  functions: Map<string, FunctionCounters>;
}

/** What the workers report. */
export interface ReportedMetrics {
  functions: LiveFunction[];
  /** Keys in hand, by queue and by the number of the partition. */
  keys: ReadonlyMap<string, ReadonlyMap<string, LiveKeys>>;
  /** The workers that did not answer, and why. */
  problems: string[];
}

/** Time over which rates and quantiles are computed, in milliseconds. */
const windowMs = 60_000;

/** Reads the metrics of workers (`/metrics`), and computes the rates and durations of the last minute. */
export class FunctionMetrics {
  readonly #workers: readonly MetricsAddress[];
  #samples: Sample[] = [];

  /**
   * @param urls of workers, such as `http://worker:9464/metrics`, with a login if they need one.
   * @throws as `metricsAddress`.
   */
  constructor(urls: readonly string[]) {
    this.#workers = urls.map(metricsAddress);
  }

  /** Reads all workers. The numbers of one that does not answer are left out. */
  async read(now = performance.now()): Promise<ReportedMetrics> {
    const problems: string[] = [];
    const texts = await Promise.all(
      this.#workers.map((worker) =>
        readMetrics(worker).catch((error: unknown) => {
          problems.push(
            `${new URL(worker.url).host}: ${error instanceof Error ? error.message : String(error)}`,
          );
          return '';
        }),
      ),
    );
    const numbers: WorkerNumbers = { functions: new Map(), keys: new Map() };
    for (const text of texts) addNumbers(numbers, text);
    const { functions, keys } = numbers;
    const last = { at: now, functions };
    this.#samples.push(last);
    this.#samples = this.#samples.filter(({ at }) => now - at <= windowMs);
    const names = [...functions.keys()].sort();
    // A function that is new has no counters in the first samples.
    const firstOf = (name: string) => this.#samples.find((each) => each.functions.has(name));
    return { functions: names.map((name) => liveFunction(name, firstOf(name), last)), keys, problems };
  }
}

function liveFunction(name: string, first: Sample | undefined, last: Sample): LiveFunction {
  const [before, now] = [first?.functions.get(name), last.functions.get(name)];
  const seconds = (last.at - (first?.at ?? last.at)) / 1000;
  if (!before || !now || seconds <= 0) {
    const times = { p50_ms: null, p95_ms: null, queue_p50_ms: null, queue_p95_ms: null };
    return { name, calls_per_s: null, failures_per_s: null, ...times };
  }
  const [durations, queueTimes] = (['durations', 'queueTimes'] as const).map((each) =>
    increases(before[each], now[each]),
  ) as [Increase[], Increase[]];
  return {
    name,
    calls_per_s: grown(now.calls, before.calls) / seconds,
    failures_per_s: grown(now.failures, before.failures) / seconds,
    p50_ms: quantile(durations, 0.5),
    p95_ms: quantile(durations, 0.95),
    queue_p50_ms: quantile(queueTimes, 0.5),
    queue_p95_ms: quantile(queueTimes, 0.95),
  };
}

/** A worker that has started again counts from 0. */
const grown = (after: number, before: number): number => Math.max(0, after - before);

/** Upper limit of a bucket, and its new observations with those of the smaller ones. */
type Increase = readonly [number, number];

const increases = (before: Buckets, now: Buckets): Increase[] =>
  [...now]
    .sort(([a], [b]) => a - b)
    .map(([limit, count]) => [limit, grown(count, before.get(limit) ?? 0)] as const);

/** A quantile in milliseconds, interpolated within its bucket as Prometheus does; null without observations. */
function quantile(buckets: readonly Increase[], share: number): number | null {
  const rank = (buckets.at(-1)?.[1] ?? 0) * share;
  if (rank === 0) return null;
  let [low, below] = [0, 0];
  for (const [limit, count] of buckets) {
    if (count >= rank) {
      if (limit === Number.POSITIVE_INFINITY) return low * 1000;
      return (low + (limit - low) * ((rank - below) / (count - below))) * 1000;
    }
    [low, below] = [limit, count];
  }
  return null;
}
