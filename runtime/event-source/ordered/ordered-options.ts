import type { Mapping } from '../mapping.ts';
import type { PollerOptions } from '../poller.ts';

/** The mapping of a queue with `orderBy`. */
export type OrderedMapping = Mapping & { order: NonNullable<Mapping['order']> };

export type OrderedPollerOptions = Omit<PollerOptions, 'queueDelay' | 'mapping' | 'seen'> & {
  mapping: OrderedMapping;
};

/** Whether the messages of a mapping are in partitions. */
export function isOrdered(mapping: Mapping): mapping is OrderedMapping {
  return mapping.order !== undefined;
}
