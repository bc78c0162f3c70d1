import { createHash } from 'node:crypto';
import type { Message } from 'amqplib';
import { copyHeader, lastFailedAtHeader, queueHeader, reasonHeader } from '../amqp/headers.ts';

/** Fingerprint of the dead letter, on an entry of the index that was added from the queue. */
export const fingerprintHeader = 'x-warren-fingerprint';

/** Headers of an entry that are not the dead letter's. */
export const indexHeaders: ReadonlySet<string> = new Set(['x-stream-offset', fingerprintHeader]);

/**
 * Identifies a dead letter in its queue and in the index. It depends on nothing that differs between the two: the broker counts
 * deliveries in a header, and a stream before RabbitMQ 3.13 loses headers that are lists or tables, such as `x-death`.
 */
export function fingerprintOf({ content, fields, properties }: Message): string {
  const headers: Record<string, unknown> = properties.headers ?? {};
  const given = headers[fingerprintHeader];
  if (typeof given === 'string') return given;
  const own = [copyHeader, queueHeader, reasonHeader, lastFailedAtHeader].map(
    (name) => headers[name] ?? null,
  );
  const parts = [properties.messageId ?? null, properties.timestamp ?? null, fields.routingKey, ...own];
  return createHash('sha256').update(content).update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
