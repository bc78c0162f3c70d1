import type { Message } from 'amqplib';
import { type Death, deathsIn } from '../amqp/deaths.ts';
import { headerText } from '../amqp/header-text.ts';
import {
  attemptsHeader,
  errorHeader,
  firstFailedAtHeader,
  lastFailedAtHeader,
  originExchangeHeader,
  originRoutingKeyHeader,
  queueHeader,
  reasonHeader,
} from '../amqp/headers.ts';
import { stringifyJson } from '../base/json.ts';
import { isDelayQueue } from '../topology/delay-names.ts';
import { isRetryQueueOf } from '../topology/names.ts';
import { fingerprintOf, indexHeaders } from './fingerprint.ts';

/** Reason of a message whose exchange had no queue for it after its delay. */
export const unroutable = 'unroutable';

/** A message in the dead letters. */
export interface DeadLetter {
  /**
   * Its message id, or a hash of its body, origin and failure if it has none. A message that failed in two queues exists twice.
   */
  id: string;
  /** The queue in which it failed, and the target of a replay; for `unroutable` the routing key, because there was no queue. */
  queue: string;
  /**
   * `rejected`, `exhausted`, `too-old`, `no-queue` if its queue was deleted while it waited for a retry or its delay, `unroutable`
   * if its exchange had no queue for it after its delay, or a reason of the broker such as `delivery_limit`.
   */
  reason: string;
  error?: string | undefined;
  attempts?: number | undefined;
  firstFailedAt?: string | undefined;
  lastFailedAt?: string | undefined;
  exchange?: string | undefined;
  routingKey?: string | undefined;
  contentType?: string | undefined;
  headers: Record<string, unknown>;
  bytes: number;
  /** Text if it is UTF-8, base64 otherwise. */
  body: string;
  bodyEncoding: 'utf-8' | 'base64';
}

/** Reads a dead letter, or its entry in the index: its origin, its reason and its body. */
export function toDeadLetter(message: Message): DeadLetter {
  const { content, fields, properties } = message;
  const all: Record<string, unknown> = properties.headers ?? {};
  const headers = Object.fromEntries(Object.entries(all).filter(([name]) => !indexHeaders.has(name)));
  const death = lastDeathIn(headers, fields.routingKey);
  const text = (name: string) => headerText(headers[name]);
  // Another program may have written an empty one, by which nothing could be found.
  const filled = (name: string) => text(name) || undefined;
  const reason = filled(reasonHeader);
  const wasDelayed = isDelayQueue(death?.queue);
  const hadNoHome = reason === undefined && (wasDelayed || isRetryQueueOf(fields.routingKey, death?.queue));
  const noHome = wasDelayed && text(originExchangeHeader) ? unroutable : 'no-queue';
  const origin = hadNoHome ? undefined : death;
  // Without our reason, the broker dead-lettered it, under the routing key of our topology: the queue's name.
  const queue = reason === undefined ? (origin?.queue ?? fields.routingKey) : filled(queueHeader);
  return {
    // Equal bodies are not enough: `drop <id>` would delete other dead letters too.
    id: properties.messageId || fingerprintOf(message),
    queue: queue ?? fields.routingKey,
    reason: reason ?? (hadNoHome ? noHome : death?.reason) ?? 'unknown',
    error: filled(errorHeader),
    attempts: attemptsIn(text(attemptsHeader)),
    firstFailedAt: text(firstFailedAtHeader),
    lastFailedAt: (reason === undefined ? death?.diedAt : undefined) ?? text(lastFailedAtHeader),
    exchange: text(originExchangeHeader) ?? origin?.exchange,
    routingKey: text(originRoutingKeyHeader) ?? origin?.routingKey,
    contentType: properties.contentType,
    headers,
    bytes: content.length,
    ...readable(content),
  };
}

/** Whether a text is in the id, the headers, which have the error, or the body of a dead letter. */
export function hasText({ id, body, headers }: DeadLetter, text: string): boolean {
  return id.includes(text) || body.includes(text) || stringifyJson(headers).includes(text);
}

/**
 * The last death of a message. Before 3.13, a stream keeps no lists, so that an entry of the index has the first death only. It
 * is also the last one unless the message died in a retry queue before.
 */
function lastDeathIn(headers: Readonly<Record<string, unknown>>, routingKey: string): Death | undefined {
  const deaths = deathsIn(headers['x-death']);
  if (deaths) return deaths[0] ?? {};
  const [queue, reason] = [headers['x-first-death-queue'], headers['x-first-death-reason']];
  if (typeof queue !== 'string' || typeof reason !== 'string') return undefined;
  return isRetryQueueOf(routingKey, queue) || isDelayQueue(queue) ? { queue: routingKey } : { queue, reason };
}

/** @returns undefined for another text: a number that is none, such as NaN, could not be written into the index. */
const attemptsIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;

function readable(content: Buffer): Pick<DeadLetter, 'body' | 'bodyEncoding'> {
  try {
    return { body: new TextDecoder('utf-8', { fatal: true }).decode(content), bodyEncoding: 'utf-8' };
  } catch {
    return { body: content.toString('base64'), bodyEncoding: 'base64' };
  }
}
