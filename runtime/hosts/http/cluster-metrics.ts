import { AggregatorRegistry, Counter, Gauge, Registry } from 'prom-client';
import type { ProcessMetrics } from './cluster-protocol.ts';

/** Adds up the metrics of several processes. */
export class ClusterMetrics {
  readonly #own = new Registry();
  readonly #latest = new Map<object, ProcessMetrics>();
  /** Sums of the processes that have ended: without them, a counter would go back. */
  #past: ProcessMetrics = [];
  readonly processes = new Gauge({
    name: 'warren_http_processes',
    help: 'Processes that serve HTTP',
    registers: [this.#own],
  });
  readonly restarts = new Counter({
    name: 'warren_http_process_restarts_total',
    help: 'Processes that ended and were replaced',
    registers: [this.#own],
  });

  /** @param slot identifies the process. */
  measured(slot: object, metrics: ProcessMetrics): void {
    this.#latest.set(slot, metrics);
  }

  async ended(slot: object): Promise<void> {
    const last = this.#latest.get(slot) ?? [];
    this.#latest.delete(slot);
    // A gauge is the state of a process that runs.
    const sums = last.filter(({ type }) => `${type}` === 'counter' || `${type}` === 'histogram');
    this.#past = await AggregatorRegistry.aggregate([this.#past, sums]).getMetricsAsJSON();
  }

  async read(): Promise<{ text: string; contentType: string }> {
    const sum = AggregatorRegistry.aggregate([this.#past, ...this.#latest.values()]);
    const text = `${await this.#own.metrics()}\n${await sum.metrics()}`;
    return { text, contentType: this.#own.contentType };
  }
}
