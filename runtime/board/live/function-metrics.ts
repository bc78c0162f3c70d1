import { decode } from '../../amqp/uri.ts';
import { WarrenError } from '../../base/errors.ts';
import type { LiveFunction } from '../api-live-types.ts';

/** The counters of a function at a time, summed over its workers. */
interface Counters {
  calls: number;
  failures: number;
  /** Calls that took at most so many seconds, by the upper limit of each bucket. */
  buckets: Map<number, number>;
}

interface Sample {
  at: number;
  functions: Map<string, Counters>;
}

/** Time of a request in milliseconds. */
const timeoutMs = 2000;
/** Time over which rates and quantiles are computed, in milliseconds. */
const windowMs = 60_000;

/** Reads the metrics of workers (`/metrics`), and computes the rates and durations of the last minute. */
export class FunctionMetrics {
  readonly #workers: readonly Worker[];
  #samples: Sample[] = [];

  /**
   * @param urls of workers, such as `http://worker:9464/metrics`, with a login if they need one.
   * @throws WarrenError ERR_CONFIG if one is not a URL. The error does not contain it, because of the password.
   */
  constructor(urls: readonly string[]) {
    this.#workers = urls.map(workerOf);
  }

  /** Reads all workers. One that does not answer is left out, and named in the second result. */
  async read(now = performance.now()): Promise<{ functions: LiveFunction[]; problems: string[] }> {
    const problems: string[] = [];
    const texts = await Promise.all(
      this.#workers.map((worker) =>
        textOf(worker).catch((error: unknown) => {
          problems.push(
            `${new URL(worker.url).host}: ${error instanceof Error ? error.message : String(error)}`,
          );
          return '';
        }),
      ),
    );
    const functions = new Map<string, Counters>();
    for (const text of texts) addCounters(functions, text);
    this.#samples.push({ at: now, functions });
    this.#samples = this.#samples.filter(({ at }) => now - at <= windowMs);
    const last = { at: now, functions };
    const names = [...functions.keys()].sort();
    // A function that is new has no counters in the first samples.
    const firstOf = (name: string) => this.#samples.find((each) => each.functions.has(name));
    return { functions: names.map((name) => liveFunction(name, firstOf(name), last)), problems };
  }
}

interface Worker {
  /** Without its login, which `fetch` refuses with an error that contains it. */
  url: string;
  headers: Record<string, string>;
}

function workerOf(text: string): Worker {
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

async function textOf({ url, headers }: Worker): Promise<string> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`expected status 200, got ${response.status}`);
  return response.text();
}

const line = /^(warren_call_duration_seconds_bucket|warren_batches_total)\{([^}]*)\} (\S+)/;

/** Adds the counters of one worker's metrics in Prometheus's text format. */
function addCounters(functions: Map<string, Counters>, metrics: string): void {
  for (const each of metrics.split('\n')) {
    const [, metric, labelText = '', valueText] = line.exec(each) ?? [];
    if (metric === undefined) continue;
    const pairs = [...labelText.matchAll(/(\w+)="([^"]*)"/g)].map(
      ([, key = '', text = '']) => [key, text] as const,
    );
    const labels: Record<string, string> = Object.fromEntries(pairs);
    const name = labels['function'] ?? '';
    const counters = functions.get(name) ?? { calls: 0, failures: 0, buckets: new Map() };
    functions.set(name, counters);
    const value = Number(valueText);
    if (metric === 'warren_batches_total') {
      counters.calls += value;
      if (labels['outcome'] === 'failed') counters.failures += value;
      continue;
    }
    const limit = labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels['le']);
    counters.buckets.set(limit, (counters.buckets.get(limit) ?? 0) + value);
  }
}

function liveFunction(name: string, first: Sample | undefined, last: Sample): LiveFunction {
  const [before, now] = [first?.functions.get(name), last.functions.get(name)];
  const seconds = (last.at - (first?.at ?? last.at)) / 1000;
  const none = { name, calls_per_s: null, failures_per_s: null, p50_ms: null, p95_ms: null };
  if (!before || !now || seconds <= 0) return none;
  // A worker that has started again counts from 0.
  const grown = (after: number, earlier: number) => Math.max(0, after - earlier);
  const buckets = [...now.buckets]
    .sort(([a], [b]) => a - b)
    .map(([limit, count]) => [limit, grown(count, before.buckets.get(limit) ?? 0)] as const);
  return {
    name,
    calls_per_s: grown(now.calls, before.calls) / seconds,
    failures_per_s: grown(now.failures, before.failures) / seconds,
    p50_ms: quantile(buckets, 0.5),
    p95_ms: quantile(buckets, 0.95),
  };
}

/** A quantile in milliseconds, interpolated within its bucket as Prometheus does; null without calls. */
function quantile(buckets: readonly (readonly [number, number])[], share: number): number | null {
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
