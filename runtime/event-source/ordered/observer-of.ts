import type { Mapping } from '../mapping.ts';
import type { Observer } from '../observer.ts';

/** The observer of a partition. Metrics count the queue that a project declares, and not its partitions. */
export function observerOf(observer: Observer, mapping: Mapping): Observer {
  return {
    consumers: (_partition, change) => observer.consumers?.(mapping, change),
    filtered: () => observer.filtered?.(mapping),
  };
}
