import { randomUUID } from 'node:crypto';
import { timed } from '../amqp/delay.ts';
import type { OutgoingMessage } from '../amqp/outgoing.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { withoutWay } from '../amqp/way-headers.ts';

/** A publisher without a broker. */
export interface RecordingPublisher extends PublisherLike {
  /** The messages as they were passed to `publish`, oldest first; a test may empty it. */
  readonly published: OutgoingMessage[];
}

/**
 * Makes a publisher that records messages in memory and confirms each of them. A function made with `onMessages` publishes
 * the copies of failed messages: one for a retry goes to the exchange `warren.retry` with the routing key
 * `<queue>.retry.<seconds>s`, a dead letter to `warren.dead`, with the reason in the header `x-warren-error`. It refuses a delay that
 * `Publisher` refuses.
 */
export function recordingPublisher(): RecordingPublisher {
  const published: OutgoingMessage[] = [];
  return {
    published,
    async publish(message) {
      withoutWay(timed(message));
      published.push(message);
      return { messageId: message.messageId ?? randomUUID() };
    },
  };
}
