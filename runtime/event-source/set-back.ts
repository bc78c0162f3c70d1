import type { ConsumeMessage } from 'amqplib';
import type { PublisherLike } from '../amqp/publisher.ts';
import type { Log } from '../base/log.ts';
import { uncalledCopy } from '../messages/host-copy.ts';
import { policyOf } from '../messages/policies.ts';
import { countOf } from '../messages/received.ts';
import { deliveryLimit } from '../topology/queue-arguments.ts';
import type { Mapping } from './mapping.ts';

/** Half of the limit: a lost connection counts too, and leaves no time for a copy. */
const nearLimit = deliveryLimit / 2;

/** Whether the broker has counted so many deliveries that it may soon dead-letter the message. */
export function isNearLimit({ properties }: ConsumeMessage): boolean {
  const headers = properties.headers as Record<string, unknown> | undefined;
  return countOf(headers?.['x-delivery-count']) >= nearLimit;
}

/** Deliveries of a channel near their limit that no call has reached. */
export class Uncalled {
  readonly #deliveries = new Set<ConsumeMessage>();

  /** @returns whether the delivery is near its limit, and was added. */
  add(delivery: ConsumeMessage): boolean {
    if (!isNearLimit(delivery)) return false;
    this.#deliveries.add(delivery);
    return true;
  }

  /** A call with these deliveries has reached the function. */
  called(deliveries: readonly ConsumeMessage[]): void {
    if (this.#deliveries.size === 0) return;
    for (const delivery of deliveries) this.#deliveries.delete(delivery);
  }

  /**
   * Sets all of them back, before their channel closes. A delivery without a copy returns as it is: its limit is not reached.
   *
   * @param copy publishes the copy of a delivery.
   * @param done acknowledges a delivery whose copy is safe.
   */
  async setBack(
    copy: (delivery: ConsumeMessage) => Promise<void>,
    done: (delivery: ConsumeMessage) => void,
  ): Promise<void> {
    await Promise.allSettled(
      [...this.#deliveries].map(async (delivery) => {
        await copy(delivery);
        done(delivery);
      }),
    );
  }
}

interface SetBackOptions {
  mapping: Mapping;
  publisher: PublisherLike;
  log: Log;
}

/**
 * Publishes the copy of a message that no call has reached. The broker counts the deliveries of the copy from the beginning:
 * its limit is for messages that end their function, and not for those whose function was unavailable.
 *
 * @throws as `PublisherLike.publish`; the message then stays as it is.
 */
export async function setBack(
  { mapping, publisher, log }: SetBackOptions,
  delivery: ConsumeMessage,
): Promise<void> {
  const { policy = policyOf(mapping.queue), queue } = mapping;
  const { messageId } = delivery.properties;
  try {
    await publisher.publish(uncalledCopy(mapping, delivery, policy.delays[0] ?? 1, new Date()));
    log.info({ queue, messageId }, 'message was not called and is set back');
  } catch (error) {
    log.warn({ queue, messageId, err: error }, 'message was not called and cannot be set back');
    throw error;
  }
}
