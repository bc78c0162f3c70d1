import { randomUUID } from 'node:crypto';
import {
  attemptsHeader,
  expiresAtHeader,
  expiryOf,
  type Message,
  type ReceivedMessage,
  stringifyJson,
} from 'warren/functions';
import { textHash } from '../delivery/text-hash.ts';

/** The properties of a message that its copy keeps, besides those that the alert has itself. */
type OtherProperties = Pick<
  ReceivedMessage,
  'exchange' | 'correlationId' | 'replyTo' | 'type' | 'userId' | 'appId' | 'priority' | 'expiration'
>;

/** A message that raises an alert, in a form that can be stored in the database. */
export interface Alert {
  /** Identifies the alert for its audience: the same for each delivery of a message with an id. */
  key: string;
  queue: string;
  /** Default `/`. */
  vhost?: string;
  body: unknown;
  /** ISO 8601, set by the producer. */
  timestamp?: string | undefined;
  messageId?: string | undefined;
  routingKey?: string | undefined;
  /** JSON has no bytes: they are `{ bytes }`, as in AWS's event. One of them has the time at which the alert expires. */
  headers?: Record<string, unknown>;
  properties?: OtherProperties;
  /** Present if this alert summarizes many with the same key; `body` is that of the last one. */
  summary?: Summary;
}

export interface Summary {
  dedupKey: string;
  /** Number of alerts that the audience has not been notified of. */
  more: number;
  /** ISO 8601: when the first and the last of them were raised. */
  firstAt: string;
  lastAt: string;
}

/** Returns the alert that a message raises. */
export function alertOf(message: Message<unknown>): Alert {
  const { queue, vhost, messageId, routingKey, timestamp, body } = message;
  const { exchange, correlationId, replyTo, type, userId, appId, priority, expiration } = message;
  // The expiration itself counts from the arrival, and would begin anew at each failure.
  const expiresAt = expiryOf(message);
  const headers =
    expiresAt === undefined ? message.headers : { ...message.headers, [expiresAtHeader]: expiresAt };
  // Two vhosts may have queues of the same name, and messages of the same id.
  const source = vhost === '/' ? queue : `${queue}::${vhost}`;
  return {
    key: `alert:${source}:${messageId ?? randomUUID()}`,
    queue,
    vhost,
    body,
    messageId,
    routingKey,
    timestamp: timestamp?.toISOString(),
    headers: mapValues(headers, storedHeader) as Record<string, unknown>,
    properties: { exchange, correlationId, replyTo, type, userId, appId, priority, expiration },
  };
}

/**
 * Turns an alert back into a message for the failure policy. Its dedup key is empty, because the alert has been counted
 * already and is delivered individually from now on.
 */
export function messageOf(alert: Alert): ReceivedMessage {
  const { queue, vhost = '/', body, timestamp, messageId, routingKey, summary, properties } = alert;
  const headers = mapValues(alert.headers ?? {}, headerOf) as Record<string, unknown>;
  return {
    ...properties,
    queue,
    messageId,
    routingKey,
    vhost,
    redelivered: false,
    contentType: 'application/json',
    content: Buffer.from(stringifyJson(summary ? { summary, last: body } : body)),
    headers: { ...headers, dedup_key: '' },
    timestamp: timestamp === undefined ? undefined : new Date(timestamp),
    attempt: attemptsIn(headers) + 1,
  };
}

/** A table that another program has put there is no count, and JavaScript may even throw if it makes a number of that. */
function attemptsIn({ [attemptsHeader]: count }: Record<string, unknown>): number {
  return typeof count === 'number' || typeof count === 'string' ? Number(count) || 0 : 0;
}

/** A value of a header as JSON. */
function storedHeader(value: unknown): unknown {
  return Buffer.isBuffer(value) ? { bytes: [...value] } : mapValues(value, storedHeader);
}

function headerOf(value: unknown): unknown {
  const isBytes = typeof value === 'object' && value !== null && Object.keys(value).join() === 'bytes';
  const { bytes } = (isBytes ? value : {}) as { bytes?: unknown };
  const isNumbers = Array.isArray(bytes) && bytes.every((each) => typeof each === 'number');
  return isNumbers ? Buffer.from(bytes) : mapValues(value, headerOf);
}

/** Maps the values of an array or an object, and returns anything else unchanged. */
function mapValues(value: unknown, map: (each: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(map);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, map(each)]));
}

/** Returns when the alert was raised: now, if the producer set no time or its clock is ahead of ours. */
export function raisedAt({ timestamp }: Alert, now = new Date()): Date {
  const raised = timestamp === undefined ? now : new Date(timestamp);
  return raised < now ? raised : now;
}

/** The hash that represents an alert's key in the database. */
export const hashOf = ({ key }: Alert): string => textHash(key);
