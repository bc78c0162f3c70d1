import type { ConsumeMessage } from 'amqplib';
import type { PublisherLike } from '../amqp/publisher.ts';
import { describeError } from '../messages/failed-copy.ts';
import { recordFailure } from '../messages/failure-events.ts';
import { hostCopy } from '../messages/host-copy.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import type { Mapping } from './mapping.ts';

/** Publishes a delivery as a dead letter and records it for metrics. Throws as `PublisherLike.publish`. */
export async function fileDeadLetter(
  { mapping, publisher }: { mapping: Mapping; publisher: PublisherLike },
  delivery: ConsumeMessage,
  failure: Pick<ItemFailure, 'verdict' | 'error' | 'fault'>,
): Promise<void> {
  await publisher.publish(hostCopy(mapping, delivery, failure, new Date()));
  recordFailure(mapping.queue, failure.verdict);
}

/** The failure of a message that can never work. */
export function rejection(error: unknown) {
  return {
    verdict: { to: 'dead-letters', reason: 'rejected' },
    error: describeError(error),
    fault: true,
  } as const;
}
