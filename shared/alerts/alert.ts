import { createHash, randomUUID } from 'node:crypto';
import { attemptsHeader, type Message, type ReceivedMessage, stringifyJson } from 'warren/functions';

/** A message that raises an alert, in a form that can be stored in the database. */
export interface Alert {
  /** Identifies the alert for its audience: the same for each delivery of a message with an id. */
  key: string;
  queue: string;
  body: unknown;
  /** ISO 8601, set by the producer. */
  timestamp?: string | undefined;
  messageId?: string | undefined;
  routingKey?: string | undefined;
  headers?: Record<string, unknown>;
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

/** Clients that set no content type of their own send JSON under this one. */
export const alertTypes = ['application/octet-stream'];

/** Returns the alert that a message raises. */
export function alertOf(message: Message<unknown>): Alert {
  const { queue, messageId, routingKey, timestamp, headers, body } = message;
  const key = `alert:${queue}:${messageId ?? randomUUID()}`;
  return { key, queue, body, timestamp: timestamp?.toISOString(), messageId, routingKey, headers };
}

/**
 * Turns an alert back into a message for the failure policy. Its dedup key is empty, because the alert has been counted
 * already and is delivered individually from now on.
 */
export function messageOf(alert: Alert): ReceivedMessage {
  const { queue, body, timestamp, messageId, routingKey, summary, headers = {} } = alert;
  return {
    queue,
    messageId,
    routingKey,
    vhost: '/',
    redelivered: false,
    contentType: 'application/json',
    content: Buffer.from(stringifyJson(summary ? { summary, last: body } : body)),
    headers: { ...headers, dedup_key: '' },
    timestamp: timestamp === undefined ? undefined : new Date(timestamp),
    attempt: (Number(headers[attemptsHeader]) || 0) + 1,
  };
}

/** Returns when the alert was raised: now, if the producer set no time or its clock is ahead of ours. */
export function raisedAt({ timestamp }: Alert, now = new Date()): Date {
  const raised = timestamp === undefined ? now : new Date(timestamp);
  return raised < now ? raised : now;
}

/** The hash that represents an alert's key in the database. */
export const hashOf = ({ key }: Alert): string => createHash('sha256').update(key).digest('hex');
