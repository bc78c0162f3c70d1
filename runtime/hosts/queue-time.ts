import type { ConsumeMessage } from 'amqplib';
import type { Registry } from 'prom-client';
import { attemptsHeader } from '../amqp/headers.ts';
import type { Mapping } from '../event-source/mapping.ts';
import { fromTimestamp } from '../messages/event-timestamp.ts';
import { countOf } from '../messages/received.ts';
import { exemplarLabels } from './exemplar.ts';
import { histogramWithExemplars } from './exposition.ts';

/** Seconds. AMQP's timestamps have no fraction, and a queue may hold messages for a day. */
const buckets = [1, 2.5, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 86_400];

/**
 * Adds the histogram of the time from the publish of a message to its first call, by the timestamp of the message.
 *
 * @returns a function that records messages before their call. A message without a timestamp, a retry and a redelivered message
 *   are left out.
 */
export function collectQueueTime(
  registry: Registry,
): (mapping: Mapping, deliveries: readonly ConsumeMessage[]) => void {
  const seconds = histogramWithExemplars(registry, {
    name: 'warren_message_queue_duration_seconds',
    help: 'Time from the publish of a message to its first call, by the timestamp of the message',
    labelNames: ['function', 'queue'],
    buckets,
  });
  return ({ functionName, queue }, deliveries) => {
    const labels = { function: functionName, queue };
    const now = Date.now();
    for (const { fields, properties } of deliveries) {
      const headers: Record<string, unknown> = properties.headers ?? {};
      const publishedAt = fromTimestamp(properties.timestamp as number | undefined);
      // A retry carries the timestamp of its original.
      if (!publishedAt || fields.redelivered || countOf(headers[attemptsHeader]) > 0) continue;
      // The publisher's clock may be ahead of ours.
      const value = Math.max(0, now - publishedAt.getTime()) / 1000;
      seconds.observe({ labels, value, exemplarLabels: exemplarLabels(headers) });
    }
  };
}
