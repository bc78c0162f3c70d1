import { createHash } from 'node:crypto';
import type { Message } from 'amqplib';
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
import { isRetryQueueOf } from '../topology/names.ts';

/** A message in the dead letters. */
export interface DeadLetter {
  /**
   * Its message id, or a hash of its body, origin and failure if it has none. A message that failed in two queues exists twice.
   */
  id: string;
  /** The queue in which it failed, and the target of a replay. */
  queue: string;
  /**
   * `rejected`, `exhausted`, `too-old`, `no-queue` if its queue was deleted while it waited for a retry, or a reason of the
   * broker such as `delivery_limit`.
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

/** An entry of RabbitMQ's `x-death`, the latest first. */
interface Death {
  queue?: string;
  reason?: string;
  'routing-keys'?: string[];
  exchange?: string;
  /** Seconds since 1970, in amqplib's form of a timestamp. */
  time?: { value?: number };
}

/** Reads a dead letter: its origin, its reason and its body. */
export function toDeadLetter({ content, fields, properties }: Message): DeadLetter {
  const headers: Record<string, unknown> = properties.headers ?? {};
  const deaths = headers['x-death'];
  const death: Death | undefined = Array.isArray(deaths) ? (deaths[0] as Death) : undefined;
  const text = (name: string) => (headers[name] === undefined ? undefined : String(headers[name]));
  const reason = text(reasonHeader);
  const hadNoHome = reason === undefined && isRetryQueueOf(fields.routingKey, death?.queue);
  const origin = hadNoHome ? undefined : death;
  // Without our reason, the broker dead-lettered it, under the routing key of our topology: the queue's name.
  const queue = reason === undefined ? (origin?.queue ?? fields.routingKey) : text(queueHeader);
  const diedAt =
    death?.time?.value === undefined ? undefined : new Date(death.time.value * 1000).toISOString();
  const known = {
    queue: queue ?? fields.routingKey,
    reason: reason ?? (hadNoHome ? 'no-queue' : death?.reason) ?? 'unknown',
    error: text(errorHeader),
    attempts: headers[attemptsHeader] === undefined ? undefined : Number(headers[attemptsHeader]),
    firstFailedAt: text(firstFailedAtHeader),
    lastFailedAt: (reason === undefined ? diedAt : undefined) ?? text(lastFailedAtHeader),
    exchange: text(originExchangeHeader) ?? origin?.exchange,
    routingKey: text(originRoutingKeyHeader) ?? origin?.['routing-keys']?.[0],
    contentType: properties.contentType,
  };
  return {
    id: properties.messageId ?? hashOf(content, { ...known, timestamp: properties.timestamp }),
    ...known,
    headers,
    bytes: content.length,
    ...readable(content),
  };
}

/** Equal bodies are not enough: `drop <id>` would delete other dead letters too. The broker's counters change with each read. */
function hashOf(content: Buffer, known: object): string {
  return createHash('sha256').update(content).update(JSON.stringify(known)).digest('hex').slice(0, 16);
}

function readable(content: Buffer): Pick<DeadLetter, 'body' | 'bodyEncoding'> {
  try {
    return { body: new TextDecoder('utf-8', { fatal: true }).decode(content), bodyEncoding: 'utf-8' };
  } catch {
    return { body: content.toString('base64'), bodyEncoding: 'base64' };
  }
}
