import type { ConsumeMessage } from 'amqplib';
import { maxEventBytes } from './encoded-size.ts';
import { type Mapping, maxBytesOf, sizeOf } from './mapping.ts';

/**
 * Why a message is too large for a call; undefined if it is not.
 *
 * @param eventBytes bytes of the event that contains only this message.
 */
export function refusalOf(
  mapping: Mapping,
  delivery: ConsumeMessage,
  eventBytes: number,
): string | undefined {
  const max = maxBytesOf(mapping);
  const size = sizeOf(delivery);
  if (size > max) return `size: expected at most ${max} bytes (maxMessageBytes of the queue), got ${size}`;
  if (eventBytes <= maxEventBytes) return undefined;
  return `body: expected at most 6 MB in one event, got ${delivery.content.length} bytes`;
}
