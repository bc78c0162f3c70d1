import { Gauge, type Registry } from 'prom-client';
import type { Mapping } from '../event-source/mapping.ts';
import type { KeyCounts } from '../event-source/ordered/key-counts.ts';

/**
 * Adds the number of keys that this process has in hand, by partition and by what their first message does.
 *
 * @returns a function that adds the partitions of a mapping, and returns one that removes them.
 */
export function collectKeys(registry: Registry): (mapping: Mapping, read: () => KeyCounts[]) => () => void {
  const readers = new Map<() => KeyCounts[], Mapping>();
  new Gauge({
    name: 'warren_partition_keys',
    help: 'Keys with messages in hand, by partition and by what their first message does',
    labelNames: ['function', 'queue', 'partition', 'state'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [read, { functionName, queue }] of readers) {
        for (const [partition, counts] of read().entries()) {
          for (const [state, count] of Object.entries(counts))
            this.inc({ function: functionName, queue, partition: String(partition), state }, count);
        }
      }
    },
  });
  return (mapping, read) => {
    readers.set(read, mapping);
    return () => readers.delete(read);
  };
}
