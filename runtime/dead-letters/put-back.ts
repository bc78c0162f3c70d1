import type { Message } from 'amqplib';
import {
  callerHeader,
  isBrokerHeader,
  originExchangeHeader,
  originRoutingKeyHeader,
  routingKeyHeader,
  warrenPrefix,
} from '../amqp/headers.ts';
import { copiedProperties } from '../amqp/properties.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { UnroutableError } from '../base/errors.ts';
import type { DeadLetter } from './dead-letter.ts';

/** Headers of ours that are not about failures: the origin, which functions read, and the caller of a method. */
const kept = new Set([originExchangeHeader, originRoutingKeyHeader, callerHeader]);

/** Milliseconds for which a late confirm is awaited: a replay that ends early duplicates what is in flight. */
const patienceMs = 30_000;

/**
 * Puts a dead letter back into its queue and resets its attempts.
 *
 * @param queue the target.
 * @returns false if the queue no longer exists.
 * @throws as `PublisherLike.publish`.
 */
export async function putBack(
  publisher: PublisherLike,
  { content, properties }: Message,
  letter: DeadLetter,
  queue = letter.queue,
): Promise<boolean> {
  const headers = Object.entries(letter.headers).filter(
    ([name]) => !isBrokerHeader(name) && (kept.has(name) || !name.startsWith(warrenPrefix)),
  );
  if (letter.exchange !== undefined) headers.push([originExchangeHeader, letter.exchange]);
  if (letter.routingKey !== undefined) headers.push([originRoutingKeyHeader, letter.routingKey]);
  try {
    await publisher.publish({
      ...copiedProperties(properties),
      exchange: '',
      routingKey: queue,
      body: content,
      timestamp: properties.timestamp,
      patienceMs,
      // If the message has no such header, the publisher would add this copy's own routing key, which is the queue's name.
      headers: { [routingKeyHeader]: undefined, ...Object.fromEntries(headers) },
    });
    return true;
  } catch (error) {
    if (error instanceof UnroutableError) return false;
    throw error;
  }
}
