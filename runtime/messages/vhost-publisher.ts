import type { PublisherLike } from '../amqp/publisher.ts';

/** The publisher for the vhost of a message: what a message causes stays in its vhost. */
export function publisherFor(publisher: PublisherLike, { vhost }: { vhost: string }): PublisherLike {
  return publisher.inVhost?.(vhost) ?? publisher;
}
