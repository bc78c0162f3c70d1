import { retryQueue } from './names.ts';
import { retryArguments } from './queue-arguments.ts';
import { queueSettings } from './queue-settings.ts';
import type { Section } from './schema.ts';

/** A retry queue for each work queue and each of its delays. */
export function retryQueues(section: Section) {
  const { queues } = section;
  return Object.entries(queueSettings(section)).flatMap(([queue, { retryDelays }]) => {
    // With `orderBy` a message is retried in the hands of its worker, because those behind it must not pass.
    if (queues[queue]?.kind !== 'work' || queues[queue].orderBy !== undefined) return [];
    return [...new Set(retryDelays)].map((seconds) => ({
      name: retryQueue(queue, seconds),
      arguments: retryArguments(queue, seconds),
      retryOf: queue,
    }));
  });
}
