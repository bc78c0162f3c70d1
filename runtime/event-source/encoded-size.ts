import type { ConsumeMessage } from 'amqplib';
import { maxNestedHeaders } from '../amqp/header-size.ts';

/** Lambda takes 6 MB in one call. */
export const maxEventBytes = 6_000_000;
/** Bytes of base64 for a byte. */
export const base64Factor = 4 / 3;

/** Bytes of the names and the marks of a message in the event, and of its numbers, at most. */
const frameBytes = 1000;
/** Bytes of JSON for a character of a text, such as `\u001f`. A header has a list of byte values, `255,`, for up to 3 bytes. */
const [textFactor, headerFactor] = [6, 4];

/** Upper bound for the bytes of a delivery in the event: base64, properties, and headers as lists of byte values. */
export function encodedSize({ content, fields, properties }: ConsumeMessage): number {
  const base64 = Math.ceil(content.length / 3) * 4;
  return (
    base64 +
    frameBytes +
    propertyBytes(properties) +
    headerSize(fields.exchange) +
    headerSize(fields.routingKey)
  );
}

/** Property by property and not in a loop over their names: this runs for each message. */
function propertyBytes(properties: ConsumeMessage['properties']): number {
  const { contentType, contentEncoding, correlationId, replyTo, messageId, type, userId, appId, clusterId } =
    properties;
  const texts =
    textBytes(contentType) +
    textBytes(contentEncoding) +
    textBytes(correlationId) +
    textBytes(replyTo) +
    textBytes(messageId) +
    textBytes(type) +
    textBytes(userId) +
    textBytes(appId) +
    textBytes(clusterId) +
    textBytes(properties.expiration);
  const headers: unknown = properties.headers;
  return texts + (headers === undefined ? 0 : headerSize(headers));
}

function textBytes(text: unknown): number {
  return typeof text === 'string' ? text.length * textFactor : 0;
}

function headerSize(value: unknown, depth = 0): number {
  if (typeof value === 'string') return Buffer.byteLength(value) * headerFactor + 12;
  // Values that are nested more deeply are null in the event.
  if (typeof value !== 'object' || value === null || depth > maxNestedHeaders + 1) return 24;
  if (Buffer.isBuffer(value)) return value.length * headerFactor + 12;
  const record = value as Record<string, unknown>;
  let sum = 0;
  for (const key of Object.keys(record)) sum += key.length + 4 + headerSize(record[key], depth + 1);
  return sum;
}
