import { maxBytesOf } from '../mapping.ts';
import type { OrderedMapping } from './ordered-options.ts';

/**
 * Bytes of the messages that a worker holds of a partition. The same for every worker: a broker puts returned messages behind those that
 * were returned before, so a worker has to take all that the one before it had.
 */
export const partitionBytes = 8_000_000;

/** Messages that a partition with `orderBy` prefetches, at most. Those of a key that waits are among them. */
const orderedMessages = 256;

/** Messages that a partition with `perKey` prefetches, at least and at most. */
const [minAhead, maxAhead] = [1000, 12_000];
/** Bytes that the broker may have to hold for a worker of such a partition that reads slowly, if there are more than the least. */
const aheadBytes = 64_000_000;

/**
 * Messages that a partition with `perKey` prefetches. The worker reads ahead past those of a busy key, and moves aside what does not fit into
 * its memory. To move a message costs more than to read it, so it reads further if all of them are small.
 */
export const aheadMessages = (mapping: OrderedMapping): number =>
  Math.max(minAhead, Math.min(maxAhead, Math.floor(aheadBytes / maxBytesOf(mapping))));

/** Messages of a batch, of which a partition prefetches two. */
export const partitionBatch = (mapping: OrderedMapping): number =>
  Math.ceil((mapping.order.perKey ? aheadMessages(mapping) : orderedMessages) / 2);
