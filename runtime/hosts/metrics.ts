import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Mapping } from '../event-source/mapping.ts';
import type { Observer } from '../event-source/observer.ts';
import { onFailure } from '../messages/failure-events.ts';
import { collectClientMetrics } from './client-metrics.ts';
import { exemplarLabels } from './exemplar.ts';
import { histogramWithExemplars, type ReadableMetrics, readableMetrics } from './exposition.ts';
import type { ProcessObserver } from './isolation/process-observer.ts';
import { collectKeys } from './key-metrics.ts';
import { createProcessMetrics } from './process-metrics.ts';
import { collectQueueTime } from './queue-time.ts';

/** Metrics of event sources in Prometheus's format, and the observer that records them. */
export interface Metrics extends ReadableMetrics {
  observer: Observer;
  /** Records what the processes of functions do. */
  processes: ProcessObserver;
  /** Begins all series of mappings at 0: an increase that begins at 1 is invisible to Prometheus, and so is a missing consumer. */
  begin(mappings: readonly Mapping[]): void;
  /** Number of consumers that a mapping has now. */
  consumers(mapping: Mapping): number;
  /** Stops counting. */
  close(): void;
}

/** Seconds, for functions that write one row up to functions that process large files. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** Why messages fail, as labels. */
const failures = [
  { to: 'retry', reason: 'retry' },
  { to: 'dead-letters', reason: 'rejected' },
  { to: 'dead-letters', reason: 'exhausted' },
  { to: 'dead-letters', reason: 'too-old' },
] as const;

/** Makes the metrics of one process. Names follow Prometheus's conventions; labels are few and bounded. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const labelNames = ['function', 'queue'] as const;
  const of = ({ functionName, queue }: Mapping) => ({ function: functionName, queue });
  const settings = (name: string, help: string) => ({ name, help, registers: [registry] });

  const messages = new Counter({
    ...settings('warren_messages_total', 'Messages by the outcome of their call'),
    labelNames: [...labelNames, 'outcome'],
  });
  const batches = new Counter({
    ...settings('warren_batches_total', 'Calls by outcome'),
    labelNames: [...labelNames, 'outcome'],
  });
  const redelivered = new Counter({
    ...settings('warren_redelivered_messages_total', 'Messages that had been delivered before'),
    labelNames,
  });
  const filtered = new Counter({
    ...settings('warren_filtered_messages_total', 'Messages that matched no filter pattern'),
    labelNames,
  });
  const setAside = new Counter({
    ...settings(
      'warren_oversized_messages_total',
      'Messages that were too large for a call and were dead-lettered',
    ),
    labelNames,
  });
  const failed = new Counter({
    ...settings(
      'warren_failed_messages_total',
      'Messages that failed, by whether they are retried or dead-lettered',
    ),
    labelNames: ['queue', 'to', 'reason'],
  });
  const processes = createProcessMetrics(registry);
  const stopClients = collectClientMetrics(registry);
  const stopFailures = onFailure(({ queue, to, reason }) => failed.inc({ queue, to, reason }));
  const seconds = histogramWithExemplars(registry, {
    name: 'warren_call_duration_seconds',
    help: 'Duration of calls, including the time that their host was unavailable',
    labelNames,
    buckets,
  });
  const inFlight = new Gauge({
    ...settings('warren_calls_in_flight', 'Calls in flight'),
    labelNames,
  });
  const consumers = new Gauge({ ...settings('warren_consumers', 'Active subscriptions'), labelNames });
  const limited = new Gauge({
    ...settings(
      'warren_waiting_for_limit',
      'Consumers that wait because the limit of their queue, or those of its keys, are reached',
    ),
    labelNames,
  });
  const standing = new Map<string, number>();
  const keyOf = ({ functionName, queue, vhost }: Mapping) => [functionName, vhost, queue].join('\n');

  return {
    processes,
    observer: {
      consumers(mapping, change) {
        consumers.inc(of(mapping), change);
        standing.set(keyOf(mapping), (standing.get(keyOf(mapping)) ?? 0) + change);
      },
      calls: (mapping, change) => inFlight.inc(of(mapping), change),
      batch(mapping, batch) {
        const labels = { ...of(mapping), outcome: batch.outcome };
        batches.inc(labels);
        seconds.observe({
          labels: of(mapping),
          value: batch.ms / 1000,
          exemplarLabels: exemplarLabels(batch.headers),
        });
        // Each message of a batch that failed is called again alone, and counts then.
        if (batch.outcome === 'failed' && batch.messages > 1) return;
        messages.inc(labels, batch.messages);
        redelivered.inc(of(mapping), batch.redelivered);
      },
      taken: collectQueueTime(registry),
      keys: collectKeys(registry),
      limited: (mapping, change) => limited.inc(of(mapping), change),
      filtered: (mapping) => filtered.inc(of(mapping)),
      setAside: (mapping) => setAside.inc(of(mapping)),
    },
    ...readableMetrics(registry),
    begin(mappings) {
      for (const mapping of mappings) {
        const labels = of(mapping);
        processes.begin(mapping.functionName);
        for (const outcome of ['done', 'failed', 'kept', 'refused'] as const) {
          batches.inc({ ...labels, outcome }, 0);
          messages.inc({ ...labels, outcome }, 0);
        }
        for (const failure of failures) failed.inc({ queue: mapping.queue, ...failure }, 0);
        for (const counter of [redelivered, filtered, setAside]) counter.inc(labels, 0);
        if (mapping.limit || mapping.order?.perKey) limited.set(labels, 0);
        for (const gauge of [inFlight, consumers]) gauge.set(labels, 0);
      }
    },
    consumers: (mapping) => standing.get(keyOf(mapping)) ?? 0,
    close() {
      stopFailures();
      stopClients();
    },
  };
}
