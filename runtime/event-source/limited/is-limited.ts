import type { Mapping } from '../mapping.ts';

/** Whether the messages that are handed to the function in a time are limited, all of them or those of each key. */
export function isLimited({ limit, order }: Pick<Mapping, 'limit' | 'order'>): boolean {
  return (limit ?? order?.perKey?.limit) !== undefined;
}
