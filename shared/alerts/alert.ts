import { createHash, randomUUID } from 'node:crypto';
import { attemptsHeader, type Message, type ReceivedMessage, RejectedError } from 'warren/functions';
import type { AlertRoute } from './routes.ts';

/** A message that raises an alert, in a form that can wait in the database. */
export interface Alert {
  /** Names it for its audience: the same for each delivery of a message with an id. */
  key: string;
  queue: string;
  body: unknown;
  /** ISO 8601, as the producer says. */
  timestamp?: string | undefined;
  messageId?: string | undefined;
  routingKey?: string | undefined;
  headers?: Record<string, unknown>;
  /** It stands for many alerts that are the same; `body` is the last one's. */
  summary?: Summary;
}

export interface Summary {
  dedupKey: string;
  /** How many nobody was told of so far. */
  more: number;
  /** ISO 8601: when the first and the last of them were raised. */
  firstAt: string;
  lastAt: string;
}

/** The alert that a message raises. */
export function alertOf(message: Message<unknown>): Alert {
  const { queue, messageId, routingKey, timestamp, headers, body } = message;
  const key = `alert:${queue}:${messageId ?? randomUUID()}`;
  return { key, queue, body, timestamp: timestamp?.toISOString(), messageId, routingKey, headers };
}

/** The message again, for the failure policy: told by itself from now on, for it has been counted already. */
export function messageOf(alert: Alert): ReceivedMessage {
  const { queue, body, timestamp, messageId, routingKey, summary, headers = {} } = alert;
  return {
    ...{ queue, messageId, routingKey, vhost: '/', redelivered: false, contentType: 'application/json' },
    content: Buffer.from(JSON.stringify(summary ? { summary, last: body } : body)),
    headers: { ...headers, dedup_key: '' },
    timestamp: timestamp === undefined ? undefined : new Date(timestamp),
    attempt: (Number(headers[attemptsHeader]) || 0) + 1,
  };
}

/** When it was raised; now, where nobody says or the producer's clock is ahead of ours. */
export function raisedAt({ timestamp }: Alert, now = new Date()): Date {
  const said = timestamp === undefined ? now : new Date(timestamp);
  return said < now ? said : now;
}

/** What stands for an alert's key in the database. */
export const hashOf = ({ key }: Alert): string => createHash('sha256').update(key).digest('hex');

/**
 * What an alert is the same by: its header `dedup_key`, else the field of that name of a JSON object, else the routing key
 * where the route says so. An empty header says that it has none.
 *
 * @returns undefined for an alert that stands for itself.
 * @throws RejectedError where it is no text of 1 to 200 printable characters.
 */
export function dedupKeyOf(
  { headers, body, routingKey }: Pick<Message<unknown>, 'headers' | 'body' | 'routingKey'>,
  route: Pick<AlertRoute, 'dedup'>,
): string | undefined {
  const field = typeof body === 'object' && body !== null && 'dedup_key' in body ? body.dedup_key : undefined;
  if (headers['dedup_key'] === '') return undefined;
  const given = headers['dedup_key'] ?? field ?? (route.dedup === 'routing_key' ? routingKey : undefined);
  if (given === undefined || given === null) return undefined;
  if (typeof given === 'string' && dedupKeyPattern.test(given)) return given;
  const came = typeof given === 'string' ? `${given.length} characters` : typeof given;
  throw new RejectedError(`dedup_key: expected ${dedupKeyExpected}, got ${came}`);
}

/** Neither control characters nor halves of a surrogate pair, which PostgreSQL does not take. */
export const dedupKeyPattern = /^[^\p{Cc}\p{Cs}]{1,200}$/u;
export const dedupKeyExpected = 'a text of 1 to 200 printable characters';
