import { createHash } from 'node:crypto';
import type { Message } from 'amqplib';
import type { PublisherLike } from '../amqp/publisher.ts';
import { UnroutableError } from '../base/errors.ts';
import { isBrokersHeader } from '../messages/failure-policy.ts';
import { callerHeader } from '../messages/on-calls.ts';

/** A message in the dead letters. */
export interface DeadLetter {
  /** Its message id, or a hash where it came without one. A message that died in two queues is there twice. */
  id: string;
  /** The queue it came from and goes back to. */
  queue: string;
  /** `rejected`, `exhausted`, `too-old`, or what the broker says, such as `delivery_limit`. */
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
  /** Text where it is UTF-8, base64 otherwise. */
  body: string;
  bodyEncoding: 'utf-8' | 'base64';
}

/** What RabbitMQ writes into `x-death`, the latest first. */
interface Death {
  queue?: string;
  reason?: string;
  'routing-keys'?: string[];
  exchange?: string;
  /** Seconds since 1970, as amqplib gives a timestamp. */
  time?: { value?: number };
}

/** Reads a message of the dead letters: where it came from, why it is here, what it says. */
export function toLetter({ content, fields, properties }: Message): DeadLetter {
  const headers: Record<string, unknown> = properties.headers ?? {};
  const deaths = headers['x-death'];
  const death: Death | undefined = Array.isArray(deaths) ? (deaths[0] as Death) : undefined;
  const text = (name: string) => (headers[name] === undefined ? undefined : String(headers[name]));
  const reason = text('x-warren-reason');
  // Who gave it up? We say where it was; and the queues we make say their names to the broker.
  const queue = reason === undefined ? (death?.queue ?? fields.routingKey) : text('x-warren-queue');
  const diedAt =
    death?.time?.value === undefined ? undefined : new Date(death.time.value * 1000).toISOString();
  return {
    id: properties.messageId ?? createHash('sha256').update(content).digest('hex').slice(0, 16),
    queue: queue ?? fields.routingKey,
    reason: reason ?? death?.reason ?? 'unknown',
    error: text('x-warren-error'),
    attempts: headers['x-warren-attempts'] === undefined ? undefined : Number(headers['x-warren-attempts']),
    firstFailedAt: text('x-warren-first-failed-at'),
    lastFailedAt: (reason === undefined ? diedAt : undefined) ?? text('x-warren-last-failed-at'),
    exchange: text('x-warren-exchange') ?? death?.exchange,
    routingKey: text('x-warren-routing-key') ?? death?.['routing-keys']?.[0],
    contentType: properties.contentType,
    headers,
    bytes: content.length,
    ...readable(content),
  };
}

function readable(content: Buffer): Pick<DeadLetter, 'body' | 'bodyEncoding'> {
  try {
    return { body: new TextDecoder('utf-8', { fatal: true }).decode(content), bodyEncoding: 'utf-8' };
  } catch {
    return { body: content.toString('base64'), bodyEncoding: 'base64' };
  }
}

/** Headers of ours that are no history: the origin, so that a function can still tell it, and whose call it is. */
const kept = new Set(['x-warren-exchange', 'x-warren-routing-key', callerHeader]);

/**
 * Puts a letter back into the queue it came from, with its attempts counted anew.
 *
 * @returns false where the queue is gone.
 * @throws as `PublisherLike.publish` does.
 */
export async function putBack(
  publisher: PublisherLike,
  { content, properties }: Message,
  letter: DeadLetter,
): Promise<boolean> {
  const headers = Object.entries(letter.headers).filter(
    ([name]) => !isBrokersHeader(name) && (kept.has(name) || !name.startsWith('x-warren-')),
  );
  if (letter.exchange !== undefined) headers.push(['x-warren-exchange', letter.exchange]);
  if (letter.routingKey !== undefined) headers.push(['x-warren-routing-key', letter.routingKey]);
  try {
    await publisher.publish({
      exchange: '',
      routingKey: letter.queue,
      body: content,
      contentType: properties.contentType,
      contentEncoding: properties.contentEncoding,
      messageId: properties.messageId,
      correlationId: properties.correlationId,
      replyTo: properties.replyTo,
      type: properties.type,
      appId: properties.appId,
      priority: properties.priority,
      timestamp: properties.timestamp,
      // Where nobody said it, the publisher would say this copy's own, which is the name of the queue.
      headers: { 'x-routing-key': undefined, ...Object.fromEntries(headers) },
    });
    return true;
  } catch (error) {
    if (error instanceof UnroutableError) return false;
    throw error;
  }
}
