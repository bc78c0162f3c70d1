import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { onClientEvent } from '../amqp/client-events.ts';

/** Seconds. A confirm takes milliseconds, and a publish fails after two tries of 2.2 s. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/**
 * Adds the metrics of all publishers and connections in this process, those of bundled functions included.
 *
 * @returns a function that stops counting.
 */
export function collectClientMetrics(registry: Registry): () => void {
  const settings = (name: string, help: string) => ({ name, help, registers: [registry] });
  const published = new Counter({
    ...settings('warren_published_messages_total', 'Publishes by outcome; returned ones reached no queue'),
    labelNames: ['outcome'],
  });
  const seconds = new Histogram({
    ...settings('warren_publish_duration_seconds', 'Time from a publish to its confirm or its failure'),
    buckets,
  });
  const connections = new Counter(
    settings('warren_connections_opened_total', 'Connections to the broker that were opened or opened again'),
  );
  const blocked = new Gauge(
    settings('warren_blocked_connections', 'Connections on which the broker blocks publishers'),
  );
  for (const outcome of ['confirmed', 'sent', 'returned', 'refused', 'unconfirmed'])
    published.inc({ outcome }, 0);
  return onClientEvent((event) => {
    if (event.kind === 'connected') connections.inc();
    else if (event.kind === 'blocked') blocked.inc(event.change);
    else {
      published.inc({ outcome: event.outcome });
      // There is no confirm whose time could be measured.
      if (event.outcome !== 'sent') seconds.observe(event.ms / 1000);
    }
  });
}
