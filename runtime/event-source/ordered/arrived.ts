import type { Batch } from '../delivery-buffer.ts';
import type { Subscription } from '../subscription.ts';

/**
 * Adds to a batch what the broker has sent by now: the beginning of a backlog arrives in parts. It answers on the channel of the deliveries, so
 * those that it sent before have arrived before its answer.
 */
export async function withArrived(subscription: Subscription, queue: string, batch: Batch): Promise<Batch> {
  try {
    await subscription.answer(subscription.channel.checkQueue(queue));
  } catch {
    // The channel has closed, and the broker has the messages again.
    return batch;
  }
  const { deliveries, bytes } =
    subscription.deliveries.length > 0 ? ((await subscription.next()) ?? none) : none;
  return { ...batch, deliveries: [...batch.deliveries, ...deliveries], bytes: batch.bytes + bytes };
}

const none = { deliveries: [], bytes: 0 };
