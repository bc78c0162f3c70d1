import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { collectClientMetrics } from '../client-metrics.ts';
import { type ReadableMetrics, readableMetrics } from '../exposition.ts';
import type { ProcessMetrics } from './cluster-protocol.ts';

/** An answered request. */
export interface AnsweredRequest {
  method: string;
  /** The route's pattern, empty if there was no route: a path would make a separate label for each id. */
  route: string;
  status: number;
  ms: number;
}

export interface RequestMetrics extends ReadableMetrics {
  request(answered: AnsweredRequest): void;
  /** All metrics, to be added to those of other processes. */
  values(): Promise<ProcessMetrics>;
  /** Stops counting. */
  close(): void;
}

/** Seconds; the longest time limit of a function is 15. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];

/** Makes the metrics of a process that answers requests, and of the publishers and connections of its functions. */
export function createRequestMetrics(): RequestMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const seconds = new Histogram({
    name: 'warren_http_request_duration_seconds',
    help: 'Time from a request to the last byte of its answer',
    labelNames: ['method', 'route', 'status'],
    buckets,
    registers: [registry],
  });
  return {
    request: ({ method, route, status, ms }) => seconds.observe({ method, route, status }, ms / 1000),
    values: () => registry.getMetricsAsJSON(),
    ...readableMetrics(registry),
    close: collectClientMetrics(registry),
  };
}
