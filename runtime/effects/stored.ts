import { encode, type OutgoingMessage } from '../amqp/outgoing.ts';
import { WarrenError } from '../base/errors.ts';
import { parseJson, stringifyJson } from '../base/json.ts';
import { withTrace } from '../base/trace.ts';
import type { Row } from './database.ts';

/** A message of the outbox. */
export interface Stored {
  /** Of the row. Two messages may have one message id. */
  id: string;
  vhost: string;
  message: OutgoingMessage;
}

/**
 * The headers with the current trace, which the relay would not have.
 *
 * @throws WarrenError ERR_CONFIG if a header holds a value that JSON does not have.
 */
export function carried({ headers, table }: OutgoingMessage): Record<string, unknown> | undefined {
  if (table)
    throw new WarrenError('ERR_CONFIG', 'table: expected headers, because the outbox stores them as JSON');
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (isJson(value)) continue;
    const expected = 'expected JSON values, because the outbox stores headers as JSON';
    throw new WarrenError('ERR_CONFIG', `headers.${name}: ${expected}, got ${nameOf(value)}`);
  }
  return withTrace(headers);
}

function isJson(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isJson);
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return typeof value !== 'bigint';
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isJson);
}

const nameOf = (value: unknown) =>
  typeof value === 'object' ? (value?.constructor.name ?? 'null') : typeof value;

/** The row of a message, but for its time. */
export function toRow({ id, vhost, message }: Stored) {
  const { body: _, ...rest } = message;
  const contentType = message.contentType ?? (Buffer.isBuffer(message.body) ? undefined : 'application/json');
  // The timestamp is that of the effect.
  const timestamp = message.timestamp === undefined ? Math.floor(Date.now() / 1000) : message.timestamp;
  const properties = stringifyJson({ ...rest, contentType, timestamp, table: undefined });
  return { id, vhost, message: properties, body: encode(message).toString('base64') };
}

/** The message of a row. */
export function fromRow({ id, vhost, message, body }: Row): Stored {
  const { deliverAt, ...properties } = parseJson(String(message)) as Omit<OutgoingMessage, 'body'>;
  return {
    id: String(id),
    vhost: String(vhost),
    message: {
      ...properties,
      ...(deliverAt !== undefined && { deliverAt: new Date(deliverAt) }),
      body: Buffer.from(String(body), 'base64'),
    },
  };
}
