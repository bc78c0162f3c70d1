import * as z from 'zod';
import { perKeyField } from './per-key.ts';
import type { PerKey } from './token-names.ts';

/** Partitions of a queue that does not specify their number. */
export const defaultPartitions = 8;

/**
 * Bytes of a message in a queue with `orderBy`, 64 KiB. Its consumer cannot adapt its prefetch, and holds the messages behind one that
 * is retried.
 */
export const orderedMessageBytes = 64 * 1024;

/**
 * Seconds for which a message may be retried at a time while its key waits: its delivery is held meanwhile, and has to be
 * acknowledged within 30 minutes, its last call included.
 */
export const maxHeldSeconds = 840;

/** Deliveries to a partition before the broker dead-letters a message: each worker that hands its partition over counts one. */
export const partitionDeliveryLimit = 100;

const keyPlace = /^(header\.\S{1,200}|routingKey|correlationId)$/;

/** The settings of a queue that keeps the order of each key, as fields of its schema. */
export const orderFields = () => ({
  orderBy: z
    .string()
    .regex(keyPlace, {
      error: 'expected header.<name>, routingKey or correlationId (a broker does not read bodies)',
    })
    .optional()
    .describe(
      'Where a message has its key: messages of one key are handled in their order, and keys side by side. Only for `work`.',
    ),
  partitions: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe(
      'With `orderBy` or `perKey`: queues among which the keys are divided, default 8. It limits the number of busy workers.',
    ),
  perKey: perKeyField(),
});

/** Settings that decide about the order of a queue. */
export interface OrderSettings {
  kind: string;
  orderBy?: string | undefined;
  partitions?: number | undefined;
  perKey?: (PerKey & { of: string }) | undefined;
  singleActiveConsumer: boolean;
  priorities?: boolean | undefined;
}

/**
 * Settings that contradict the order of a queue.
 *
 * @param retryDelays of the queue, in seconds.
 */
export function orderProblems(
  queue: string,
  { kind, orderBy, partitions, perKey, singleActiveConsumer, priorities }: OrderSettings,
  retryDelays: readonly number[],
): string[] {
  const wrong = (field: string, text: string) => `queue "${queue}": ${field}: ${text}`;
  const key = orderBy ?? perKey?.of;
  if (key === undefined) {
    if (partitions === undefined) return [];
    return [wrong('partitions', `expected no value without orderBy or perKey, got ${partitions}`)];
  }
  const own = orderBy === undefined ? 'perKey' : 'orderBy';
  const seconds = retryDelays.reduce((sum, delay) => sum + delay, 0);
  return [
    ...(kind === 'work' ? [] : [wrong(own, `expected no value for kind ${kind}, got ${key}`)]),
    ...(singleActiveConsumer
      ? [wrong('singleActiveConsumer', `expected no value with ${own}, whose partitions have it, got true`)]
      : []),
    ...(priorities ? [wrong('priorities', `expected no value with ${own}, got true`)] : []),
    ...(seconds > maxHeldSeconds
      ? [
          wrong(
            'retryDelays',
            `expected at most ${maxHeldSeconds} s in all with ${own}, because ${orderBy === undefined ? 'a worker holds' : 'a key waits for'} its message, got ${seconds} s`,
          ),
        ]
      : []),
  ];
}
