import type { Problem } from '../base/problems.ts';
import { maxNameBytes, retryQueue } from './names.ts';
import { retryArguments } from './queue-arguments.ts';
import { queueSettings } from './queue-settings.ts';
import { problemIn, type Section } from './schema.ts';

/** A retry queue for each work queue and each of its delays. */
export function retryQueues(section: Section) {
  const { queues } = section;
  return Object.entries(queueSettings(section)).flatMap(([queue, { retryDelays }]) => {
    // With `orderBy` a message is retried in the hands of its worker, because those behind it must not pass, and with `perKey` too.
    const { kind, orderBy, perKey } = queues[queue] ?? {};
    if (kind !== 'work' || orderBy !== undefined || perKey) return [];
    return [...new Set(retryDelays)].map((seconds) => ({
      name: retryQueue(queue, seconds),
      arguments: retryArguments(queue, seconds),
      retryOf: queue,
    }));
  });
}

/** Names that become too long or are taken. */
export function retryQueueProblems(section: Section): Problem[] {
  return retryQueues(section).flatMap(({ name, retryOf }) => {
    const bytes = Buffer.byteLength(name);
    const taken = `queue "${name}" has the name of a retry queue of "${retryOf}"`;
    const tooLong = `retry queue "${name}": expected a name of at most ${maxNameBytes} bytes, got ${bytes}`;
    return [
      ...(Object.hasOwn(section.queues, name) ? [problemIn('queues', name, taken)] : []),
      ...(bytes > maxNameBytes ? [problemIn('queues', retryOf, tooLong)] : []),
    ];
  });
}
