import type { OrderedMapping } from './ordered-options.ts';

/**
 * Bytes of the messages that a worker holds of a partition. The same for every worker: a broker puts returned messages behind those that
 * were returned before, so a worker has to take all that the one before it had.
 */
export const partitionBytes = 8_000_000;

/** Messages that a partition with `orderBy` prefetches, at most. Those of a key that waits are among them. */
const orderedMessages = 256;

/**
 * Messages that a partition with `perKey` prefetches. The worker reads ahead past those of a busy key and moves them aside, and what
 * does not fit into its memory too.
 */
export const aheadMessages = 1000;

/** Messages of a batch, of which a partition prefetches two. */
export const partitionBatch = ({ order }: OrderedMapping): number =>
  (order.perKey ? aheadMessages : orderedMessages) / 2;
