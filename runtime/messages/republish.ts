import type { PublisherLike } from '../amqp/publisher.ts';
import { failedCopy } from './failed-copy.ts';
import { recordFailure } from './failure-events.ts';
import type { Verdict } from './failure-policy.ts';
import type { ReceivedMessage } from './received.ts';
import { publisherFor } from './vhost-publisher.ts';

/** A message that failed, and the decision about it. */
export interface Failure {
  message: ReceivedMessage;
  verdict: Verdict;
  error: unknown;
  /** Default now. */
  at?: Date;
  /** Identifier of the copy, default a new one, and milliseconds for which its confirm is awaited, default 20,000. */
  copy?: { id: string; patienceMs: number };
}

/**
 * Publishes the copy of a failed message to its retry queue or to the dead letters and records it for metrics. After that
 * the original may be acknowledged: the broker has confirmed the copy. The copy stays in the vhost of the message.
 *
 * @throws as `PublisherLike.publish`; the original then has to be delivered again.
 */
export async function republish(
  publisher: PublisherLike,
  { message, verdict, error, at = new Date(), copy }: Failure,
): Promise<void> {
  const outgoing = failedCopy(message, verdict, error, at, copy?.id);
  await publisherFor(publisher, message).publish({
    ...outgoing,
    ...(copy && { patienceMs: copy.patienceMs }),
  });
  recordFailure(message.queue, verdict);
}
