import { createHash } from 'node:crypto';
import type { GetMessage } from 'amqplib';
import { UnavailableError } from '../errors.ts';
import { BrokerConnection } from './connection.ts';
import { createPublisher, type PublisherLike } from './publisher.ts';
import { deadLetters } from './topology.ts';

/** A message in the dead letters. */
export interface DeadLetter {
  /** Its message id, or a hash where it came without one. */
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
  /** Text where it is UTF-8, base64 otherwise. */
  body: string;
}

/** Which letters are meant; all where nothing is said. */
export interface LetterFilter {
  id?: string | undefined;
  queue?: string | undefined;
}

/** What to do with a letter: `keep` leaves it where it is. */
type Fate = 'keep' | 'remove';

/**
 * Lists dead letters, oldest first. They stay where they are.
 *
 * @param limit how many are read at the most, default 1000.
 */
export async function listDeadLetters(
  url: string,
  filter: LetterFilter = {},
  limit = 1000,
): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  await visit(url, filter, limit, async (_message, letter) => {
    letters.push(letter);
    return 'keep';
  });
  return letters;
}

/**
 * Puts dead letters back into the queues they came from, with their attempts counted anew. Each is published and
 * confirmed before it leaves the dead letters: a crash in the middle loses none and doubles at most the one in hand.
 * Letters that arrive meanwhile are left alone, so that one that fails at once is not replayed for ever.
 *
 * @returns the letters that were put back.
 * @throws UnroutableError when a queue is gone, UnavailableError when the broker is away; the rest stays.
 */
export async function replayDeadLetters(url: string, filter: LetterFilter = {}): Promise<DeadLetter[]> {
  const publisher = createPublisher({ url, name: 'warren dead-letters replay' });
  const replayed: DeadLetter[] = [];
  try {
    await visit(url, filter, Number.POSITIVE_INFINITY, async (message, letter) => {
      await putBack(publisher, message, letter);
      replayed.push(letter);
      return 'remove';
    });
  } finally {
    await publisher.close();
  }
  return replayed;
}

/**
 * Deletes dead letters for good.
 *
 * @returns the letters that were deleted.
 */
export async function dropDeadLetters(url: string, filter: LetterFilter = {}): Promise<DeadLetter[]> {
  const dropped: DeadLetter[] = [];
  await visit(url, filter, Number.POSITIVE_INFINITY, async (_message, letter) => {
    dropped.push(letter);
    return 'remove';
  });
  return dropped;
}

/** Shows each letter that is there at the start once, and hands the rest back by closing the channel. */
async function visit(
  url: string,
  filter: LetterFilter,
  limit: number,
  see: (message: GetMessage, letter: DeadLetter) => Promise<Fate>,
): Promise<void> {
  const connection = new BrokerConnection({ url, name: 'warren dead-letters' });
  try {
    const channel = await connection.channel();
    const { messageCount } = await channel.checkQueue(deadLetters).catch((cause: unknown) => {
      throw new UnavailableError(
        'broker',
        `queue "${deadLetters}" can't be read; was the topology applied?`,
        { cause },
      );
    });
    let seen = 0;
    for (let left = messageCount; left > 0 && seen < limit; left -= 1) {
      const message = await channel.get(deadLetters);
      if (!message) break;
      const letter = toLetter(message);
      if (!matches(letter, filter)) continue;
      seen += 1;
      if ((await see(message, letter)) === 'remove') channel.ack(message);
    }
    await channel.close();
  } finally {
    await connection.close();
  }
}

function matches(letter: DeadLetter, { id, queue }: LetterFilter): boolean {
  return (id === undefined || letter.id === id) && (queue === undefined || letter.queue === queue);
}

async function putBack(publisher: PublisherLike, { content, properties }: GetMessage, letter: DeadLetter) {
  const headers = Object.entries(letter.headers).filter(
    ([name]) => !/^x-(warren-|death$|first-death-|last-death-|delivery-count$)/.test(name),
  );
  // The origin stays, so that the adapter can still tell exchange and routing key; the history starts anew.
  if (letter.exchange !== undefined) headers.push(['x-warren-exchange', letter.exchange]);
  if (letter.routingKey !== undefined) headers.push(['x-warren-routing-key', letter.routingKey]);
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
    headers: Object.fromEntries(headers),
  });
}

function toLetter({ content, fields, properties }: GetMessage): DeadLetter {
  const headers: Record<string, unknown> = properties.headers ?? {};
  const [death] = (headers['x-death'] ?? []) as {
    reason?: string;
    'routing-keys'?: string[];
    exchange?: string;
  }[];
  const text = (name: string) => (headers[name] === undefined ? undefined : String(headers[name]));
  return {
    id: properties.messageId ?? createHash('sha256').update(content).digest('hex').slice(0, 16),
    queue: text('x-warren-queue') ?? fields.routingKey,
    reason: text('x-warren-reason') ?? death?.reason ?? 'unknown',
    error: text('x-warren-error'),
    attempts: headers['x-warren-attempts'] === undefined ? undefined : Number(headers['x-warren-attempts']),
    firstFailedAt: text('x-warren-first-failed-at'),
    lastFailedAt: text('x-warren-last-failed-at'),
    exchange: text('x-warren-exchange') ?? death?.exchange,
    routingKey: text('x-warren-routing-key') ?? death?.['routing-keys']?.[0],
    contentType: properties.contentType,
    headers,
    body: readable(content),
  };
}

function readable(content: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return content.toString('base64');
  }
}
