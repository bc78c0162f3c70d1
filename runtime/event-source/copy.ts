import type { ConsumeMessage } from 'amqplib';
import type { OutgoingMessage } from '../amqp/outgoing.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { isMessageFault } from '../messages/batch-call.ts';
import { recordFailure } from '../messages/failure-events.ts';
import { hostCopy } from '../messages/host-copy.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import type { Acknowledger } from './acknowledger.ts';
import { backoff, pause } from './backoff.ts';
import type { CallOptions } from './call.ts';
import { confirmedUntil } from './confirmed.ts';
import type { KnownCopies } from './known-copies.ts';

/** Milliseconds for which a stop waits for the confirm of a copy. */
const stopMs = 5000;

interface CopyOptions extends Pick<CallOptions, 'mapping' | 'log' | 'maxHoldMs'> {
  publisher: PublisherLike;
  /** Remembers a copy that is not confirmed when the original goes back. */
  copies: Pick<KnownCopies, 'leave'>;
}

/** A failed message and its copy. */
export interface Copying {
  delivery: ConsumeMessage;
  failure: ItemFailure;
  /** When the batch was received, by `performance.now`. */
  since: number;
  /** The copy of an earlier delivery, default a new one. */
  copy?: OutgoingMessage;
}

/**
 * Publishes the copy of a failed message. It is published again only when the broker refused it or its connection was lost; a
 * late confirm is awaited. The function is not called again for the message, also if the original goes back to the broker and
 * comes again.
 *
 * @param ended aborted when the original goes back to the broker.
 * @returns `kept` if that happens before the copy is confirmed.
 */
export async function publishCopy(
  { publisher, mapping, log, maxHoldMs, copies }: CopyOptions,
  { acknowledger }: { acknowledger: Pick<Acknowledger, 'reject'> },
  { delivery, failure, since, copy = hostCopy(mapping, delivery, failure, new Date()) }: Copying,
  ended: AbortSignal,
): Promise<'copied' | 'rejected' | 'kept'> {
  const { queue } = mapping;
  const { messageId } = delivery.properties;
  // The same copy at each try: it is known again if an earlier one arrives after all.
  for (let tries = 1; ; tries += 1) {
    const patienceMs = Math.max(0, maxHoldMs - (performance.now() - since));
    const confirm = publisher.publish({ ...copy, patienceMs });
    const keep = () => {
      copies.leave(delivery, { copy, failure, confirm });
      return 'kept' as const;
    };
    try {
      if (!(await confirmedUntil(confirm, ended, stopMs))) return keep();
      recordFailure(queue, failure.verdict);
      return 'copied';
    } catch (error) {
      if (tries === 1) log.warn({ queue, messageId, err: error }, 'a copy is not confirmed, retrying');
      if (isMessageFault(error)) {
        if (ended.aborted) return keep();
        acknowledger.reject(delivery);
        return 'rejected';
      }
      const wait = backoff(tries, 100, 30_000);
      if (performance.now() - since + wait > maxHoldMs) return keep();
      await pause(wait, ended);
      if (ended.aborted) return keep();
    }
  }
}
