import type { Log } from '../base/log.ts';
import { memoryLimit } from '../base/memory.ts';
import { base64Factor, maxEventBytes } from './encoded-size.ts';
import { type Mapping, maxBytesOf } from './mapping.ts';
import { fixedPrefetch } from './prefetch.ts';

/** How many bytes of messages a subscription may hold. RabbitMQ limits only their number. */
export interface HeldBytes {
  /** Messages that wait for a call. */
  waiting: number;
  /** The event of one call; a larger message has a call of its own. */
  event: number;
}

/** Bytes for the subscriptions of one mapping together. */
const maxWaiting = 64_000_000;

/**
 * The limits of each subscription: together, those of a process hold at most a quarter of its memory.
 *
 * @param subscriptions of the process.
 * @param concurrency of the mapping, default 1.
 * @param memory of the process in bytes, default what it may use.
 */
export function heldBytes(subscriptions: number, concurrency = 1, memory = memoryLimit()): HeldBytes {
  const share = Math.floor(memory / 4 / subscriptions);
  return {
    waiting: Math.min(maxWaiting / concurrency, share),
    // An event exists several times while its call is on its way.
    event: Math.min(maxEventBytes, Math.floor(share / 4)),
  };
}

/**
 * Bytes of the largest message of a queue whose prefetch is fixed; undefined for any other queue. With `perKey` it is 0: the worker moves
 * aside what it has no memory for.
 */
export function fixedForOf(mapping: Mapping): number | undefined {
  if (mapping.order?.perKey) return 0;
  return mapping.singleActiveConsumer ? maxBytesOf(mapping) * base64Factor : undefined;
}

/** Warns of batches that a fixed prefetch keeps below `batchSize`, because nothing else shows it. */
export function warnOfSmallBatches(log: Log, mapping: Mapping, held: HeldBytes): void {
  const { queue, batchSize, kind } = mapping;
  const fixedFor = fixedForOf(mapping);
  // Each call of an RPC queue has one message.
  if (fixedFor === undefined || kind === 'rpc') return;
  const fitting = fixedPrefetch(batchSize, held.waiting, fixedFor);
  if (fitting >= batchSize) return;
  const text =
    'batches stay below batchSize: expected a smaller batchSize or maxMessageBytes, or more memory';
  log.warn({ queue, batchSize, maxMessageBytes: maxBytesOf(mapping), fitting }, text);
}
