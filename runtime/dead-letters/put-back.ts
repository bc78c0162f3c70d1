import type { Message } from 'amqplib';
import { type RawField, rawField, splitTable } from '../amqp/field-table.ts';
import { fittingTable } from '../amqp/fitting-table.ts';
import {
  isBrokerHeader,
  originExchangeHeader,
  originRoutingKeyHeader,
  ownHeaders,
  warrenPrefix,
} from '../amqp/headers.ts';
import { copiedProperties } from '../amqp/properties.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { rawHeaders } from '../amqp/raw-headers.ts';
import { wireTimestamp } from '../amqp/raw-texts.ts';
import { UnroutableError } from '../base/errors.ts';
import { type DeadLetter, unroutable } from './dead-letter.ts';

/** Milliseconds for which a late confirm is awaited: a replay that ends early duplicates what is in flight. */
export const patienceMs = 30_000;

/**
 * Puts a dead letter back into its queue and resets its attempts. A message without a queue goes to its exchange again.
 *
 * @param queue the target.
 * @returns false if the queue no longer exists, or the exchange still has none for it.
 * @throws as `PublisherLike.publish`.
 */
export async function putBack(
  publisher: PublisherLike,
  { content, properties }: Message,
  letter: DeadLetter,
  queue = letter.queue,
): Promise<boolean> {
  const again = letter.reason === unroutable && queue === letter.queue;
  try {
    await publisher.publish({
      ...copiedProperties(properties),
      exchange: again ? (letter.exchange ?? '') : '',
      routingKey: queue,
      body: content,
      timestamp: wireTimestamp(properties),
      table: fittingTable(replayFields(properties, letter)),
      patienceMs,
    });
    return true;
  } catch (error) {
    if (error instanceof UnroutableError) return false;
    throw error;
  }
}

/** The headers as they arrived, without those about the failure, and with the origin, which functions read. */
export function replayFields(
  properties: Message['properties'],
  { exchange, routingKey }: DeadLetter,
): RawField[] {
  const fields = splitTable(rawHeaders(properties) ?? Buffer.alloc(0)).filter(({ name }) =>
    isOfMessage(name),
  );
  if (exchange !== undefined) fields.push(rawField(originExchangeHeader, exchange));
  if (routingKey !== undefined) fields.push(rawField(originRoutingKeyHeader, routingKey));
  return fields;
}

/** Whether a header belongs to the message, and not to its failures or its path through the broker. */
export const isOfMessage = (name: string): boolean =>
  ownHeaders.has(name) || !(isBrokerHeader(name) || name.startsWith(warrenPrefix));
