import { setTimeout as pause } from 'node:timers/promises';
import type { Channel, ConsumeMessage, Message } from 'amqplib';
import { BrokerConnection } from '../amqp/connection.ts';
import { createPublisher } from '../amqp/publisher.ts';
import { UnavailableError } from '../base/errors.ts';
import { deadLetters } from '../topology/names.ts';
import { type DeadLetter, putBack, toLetter } from './dead-letter.ts';

/** Which letters are meant; all where nothing is said. */
export interface LetterFilter {
  id?: string | readonly string[] | undefined;
  queue?: string | undefined;
  reason?: string | undefined;
}

/** Letters of one queue that were given up for one reason. */
export interface LetterGroup {
  queue: string;
  reason: string;
  count: number;
  /** When the first of them was given up, and the last. */
  oldest?: string | undefined;
  newest?: string | undefined;
}

export interface LetterOverview {
  total: number;
  groups: LetterGroup[];
  /** The oldest of them, as many as asked for. */
  letters: DeadLetter[];
}

/** Enough to tell which letter: a thousand whole ones may be too much to keep. */
export type LetterName = Pick<DeadLetter, 'id' | 'queue' | 'reason'>;

export interface Replay {
  replayed: LetterName[];
  /** Those whose queue is gone; they stay in the dead letters. */
  stayed: LetterName[];
}

/** Told after each letter that was looked at: how many of how many, and how many of these were meant. */
export type Progress = (looked: number, total: number, meant: number) => void;

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
  await visit(url, { filter, limit, readOnly: true }, async (_message, letter) => {
    letters.push(letter);
    return 'keep';
  });
  return letters;
}

/**
 * Counts dead letters by queue and reason, most first. They stay where they are.
 *
 * @param limit how many are given whole.
 */
export async function surveyDeadLetters(
  url: string,
  filter: LetterFilter = {},
  limit = 1000,
): Promise<LetterOverview> {
  const groups = new Map<string, LetterGroup>();
  const letters: DeadLetter[] = [];
  let total = 0;
  await visit(url, { filter, readOnly: true }, async (_message, letter) => {
    const { queue, reason, lastFailedAt: at } = letter;
    const key = JSON.stringify([queue, reason]);
    const group = groups.get(key) ?? { queue, reason, count: 0 };
    group.count += 1;
    // As text, times in ISO 8601 are in order.
    if (at !== undefined && !(group.oldest !== undefined && group.oldest <= at)) group.oldest = at;
    if (at !== undefined && !(group.newest !== undefined && group.newest >= at)) group.newest = at;
    groups.set(key, group);
    total += 1;
    if (letters.length < limit) letters.push(letter);
    return 'keep';
  });
  return { total, groups: [...groups.values()].sort((a, b) => b.count - a.count), letters };
}

/**
 * Puts dead letters back into the queues they came from, with their attempts counted anew. Each is published and
 * confirmed before it leaves the dead letters: a crash in the middle loses none and doubles at most the one in hand.
 * Letters that arrive meanwhile are left alone, so that one that fails at once is not replayed for ever.
 *
 * @returns the letters that were put back, and those that stay because their queue is gone.
 * @throws UnavailableError that says how many were put back when the broker goes away; the rest stays.
 */
export async function replayDeadLetters(
  url: string,
  filter: LetterFilter = {},
  progress?: Progress,
): Promise<Replay> {
  const publisher = createPublisher({ url, name: 'warren dead-letters replay', tries: 1 });
  const result: Replay = { replayed: [], stayed: [] };
  const gone = new Set<string>();
  try {
    await visit(url, { filter, progress }, async (message, letter) => {
      const { id, queue, reason } = letter;
      if (!gone.has(queue) && !(await putBack(publisher, message, letter))) gone.add(queue);
      result[gone.has(queue) ? 'stayed' : 'replayed'].push({ id, queue, reason });
      return gone.has(queue) ? 'keep' : 'remove';
    });
  } catch (cause) {
    const { length } = result.replayed;
    if (length === 0 || !(cause instanceof UnavailableError)) throw cause;
    const text = `${cause.message}; put back ${length} before that, the rest is still there`;
    throw new UnavailableError('broker', text, { cause });
  } finally {
    await publisher.close();
  }
  return result;
}

/**
 * Deletes dead letters for good.
 *
 * @param limit how many at the most: those that came after somebody said yes are not meant.
 * @returns the letters that were deleted.
 */
export async function dropDeadLetters(
  url: string,
  filter: LetterFilter = {},
  limit = Number.POSITIVE_INFINITY,
): Promise<DeadLetter[]> {
  const dropped: DeadLetter[] = [];
  await visit(url, { filter, limit }, async (_message, letter) => {
    dropped.push(letter);
    return 'remove';
  });
  return dropped;
}

interface Visit {
  filter: LetterFilter;
  /** Of letters that are meant; default all. */
  limit?: number | undefined;
  progress?: Progress | undefined;
  /** All are kept, so that it does no harm to have many in hand. */
  readOnly?: boolean;
}

/** Shows each letter that is there at the start once, and hands the rest back by closing the connection. */
async function visit(
  url: string,
  { filter, limit = Number.POSITIVE_INFINITY, progress, readOnly = false }: Visit,
  see: (message: Message, letter: DeadLetter) => Promise<Fate>,
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
    let meant = 0;
    let looked = 0;
    const letters = readOnly ? stream(channel, messageCount) : oneByOne(channel, messageCount);
    for await (const message of letters) {
      looked += 1;
      const letter = toLetter(message);
      if (matches(letter, filter)) {
        meant += 1;
        if ((await see(message, letter)) === 'remove') await reading(async () => channel.ack(message));
      }
      progress?.(looked, messageCount, meant);
      if (meant >= limit) break;
    }
    // The answer to this says that the last acknowledgement arrived, too. Closing hands the rest back.
    await reading(() => channel.checkQueue(deadLetters));
  } finally {
    await connection.close();
  }
}

async function* oneByOne(channel: Channel, count: number): AsyncGenerator<Message> {
  for (let looked = 0; looked < count; looked += 1) {
    // Its answer also says that the acknowledgement before it arrived: no more than one letter is ever in hand.
    const message = await reading(() => channel.get(deadLetters));
    if (!message) return;
    yield message;
  }
}

/** As many as there were, without a question for each: thousands of them take a moment and not a minute. */
async function* stream(channel: Channel, count: number): AsyncGenerator<Message> {
  const waiting: ConsumeMessage[] = [];
  let closed = false;
  let wake: () => void = () => undefined;
  channel.once('close', () => {
    closed = true;
    wake();
  });
  await reading(() =>
    channel.consume(deadLetters, (message) => {
      if (message) waiting.push(message);
      else closed = true;
      wake();
    }),
  );
  for (let looked = 0; looked < count; looked += 1) {
    while (waiting.length === 0) {
      // Somebody else may have taken the rest meanwhile.
      const woken = await Promise.race([
        new Promise<boolean>((resolve) => {
          wake = () => resolve(true);
        }),
        pause(500, false, { ref: false }),
      ]);
      if (closed) throw new UnavailableError('broker', 'the connection to the broker was lost');
      const left = async () => (await channel.checkQueue(deadLetters)).messageCount;
      if (!woken && waiting.length === 0 && (await reading(left)) === 0) return;
    }
    const message = waiting.shift();
    if (message) yield message;
  }
}

async function reading<T>(use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    throw new UnavailableError('broker', 'the connection to the broker was lost', { cause });
  }
}

function matches(letter: DeadLetter, { id, queue, reason }: LetterFilter): boolean {
  const ids = typeof id === 'string' ? [id] : id;
  return (
    (ids === undefined || ids.includes(letter.id)) &&
    (queue === undefined || letter.queue === queue) &&
    (reason === undefined || letter.reason === reason)
  );
}
