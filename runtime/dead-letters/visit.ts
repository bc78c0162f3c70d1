import type { Channel, Message } from 'amqplib';
import { BrokerConnection } from '../amqp/connection.ts';
import { hasReplyCode } from '../amqp/reply-code.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { deadLetters } from '../topology/names.ts';
import { type DeadLetter, toDeadLetter } from './dead-letter.ts';
import { answered, type StreamOptions, stream } from './stream.ts';

/** Selects dead letters; all of them without any field. */
export interface DeadLetterFilter {
  id?: string | readonly string[] | undefined;
  queue?: string | undefined;
  reason?: string | undefined;
}

/** Called after each dead letter: how many of how many were read, and how many of these match the filter. */
export type Progress = (read: number, total: number, matching: number) => void;

/** What to do with a dead letter; `keep` leaves it in the queue. */
type Fate = 'keep' | 'remove';

export interface Visit {
  filter: DeadLetterFilter;
  /** Maximum number of dead letters to remove; default all. Kept ones do not count. */
  limit?: number | undefined;
  progress?: Progress | undefined;
  /** Maximum number of dead letters that are handled at the same time, default 1. */
  window?: number;
}

/**
 * Passes each matching dead letter that exists at the start to `handle` once. They stay in their queue.
 *
 * @param handle returns false to end the visit.
 */
export async function readEach(
  url: string,
  filter: DeadLetterFilter,
  handle: (letter: DeadLetter) => boolean,
  options: Omit<StreamOptions, 'count'> = {},
): Promise<void> {
  await connected(url, async (connection, _channel, count) => {
    const matches = matcher(filter);
    await stream(connection, { ...options, count }, (message) => {
      const letter = toDeadLetter(message);
      return matches(message, letter) ? handle(letter) : true;
    });
  });
}

/**
 * Passes each matching dead letter that exists at the start to `handle` once, several at the same time, and acknowledges it as
 * soon as `handle` returns `remove`. After an error, those in flight are finished first.
 */
export async function takeEach(
  url: string,
  { filter, limit = Number.POSITIVE_INFINITY, progress, window = 1 }: Visit,
  handle: (message: Message, letter: DeadLetter) => Promise<Fate>,
): Promise<void> {
  await connected(url, async (_connection, channel, count) => {
    const matches = matcher(filter);
    const inFlight = new Set<Promise<void>>();
    const failures: unknown[] = [];
    let matching = 0;
    let removed = 0;
    const take = async (message: Message, letter: DeadLetter) => {
      try {
        if ((await handle(message, letter)) === 'keep') return;
        await answered(async () => channel.ack(message));
        removed += 1;
      } catch (error) {
        failures.push(error);
      }
    };
    for (let read = 1; read <= count && failures.length === 0; read += 1) {
      // One that is kept makes room for another within the limit.
      while (inFlight.size > 0 && (inFlight.size >= window || removed + inFlight.size >= limit)) {
        await Promise.race(inFlight);
      }
      if (removed >= limit || failures.length > 0) break;
      const message = await answered(() => channel.get(deadLetters)).catch((error: unknown) => {
        failures.push(error);
        return false as const;
      });
      if (!message) break;
      const letter = toDeadLetter(message);
      if (matches(message, letter)) {
        matching += 1;
        const work = take(message, letter).finally(() => inFlight.delete(work));
        inFlight.add(work);
      }
      progress?.(read, count, matching);
    }
    await Promise.all(inFlight);
    if (failures.length > 0) throw failures[0];
    // The answer to this request proves that the last acknowledgement has also arrived.
    await answered(() => channel.checkQueue(deadLetters));
  });
}

/** Connects, counts the dead letters, and closes the connection at the end, which returns the kept ones to the queue. */
async function connected(
  url: string,
  use: (connection: BrokerConnection, channel: Channel, count: number) => Promise<void>,
): Promise<void> {
  const connection = new BrokerConnection({ url, name: 'warren dead-letters' });
  try {
    const channel = await connection.channel();
    const { messageCount } = await channel.checkQueue(deadLetters).catch((cause: unknown) => {
      if (hasReplyCode(cause, 403)) {
        const advice = 'it needs replays: true in custom.warren.users';
        const refused = `the broker refused to read queue "${deadLetters}" for this login: ${advice}`;
        throw new WarrenError('ERR_BROKER_REFUSED', refused, { cause });
      }
      const text = `queue "${deadLetters}" can't be read; was the topology applied?`;
      throw new UnavailableError('broker', text, { cause });
    });
    await use(connection, channel, messageCount);
  } finally {
    await connection.close();
  }
}

function matcher({ id, queue, reason }: DeadLetterFilter) {
  const ids = typeof id === 'string' ? [id] : id;
  const seen = new Set<string>();
  return ({ properties }: Message, letter: DeadLetter): boolean => {
    if (queue !== undefined && letter.queue !== queue) return false;
    if (reason !== undefined && letter.reason !== reason) return false;
    if (ids === undefined) return true;
    if (!ids.includes(letter.id)) return false;
    // Without a message id, dead letters that are equal in every detail share an id, which then selects one of them.
    if (properties.messageId !== undefined) return true;
    const first = !seen.has(letter.id);
    seen.add(letter.id);
    return first;
  };
}
