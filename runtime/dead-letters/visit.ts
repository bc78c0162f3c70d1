import type { Channel, ConsumeMessage, Message } from 'amqplib';
import { BrokerConnection } from '../amqp/connection.ts';
import { doneWithin } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';
import { deadLetters } from '../topology/names.ts';
import { type DeadLetter, toDeadLetter } from './dead-letter.ts';

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
  /** Maximum number of matching dead letters; default all. */
  limit?: number | undefined;
  progress?: Progress | undefined;
  /** All dead letters are kept, so many of them may be prefetched. */
  readOnly?: boolean;
}

/** Passes each dead letter that exists at the start to `handle` once. The connection's close returns the others to the queue. */
export async function visit(
  url: string,
  { filter, limit = Number.POSITIVE_INFINITY, progress, readOnly = false }: Visit,
  handle: (message: Message, letter: DeadLetter) => Promise<Fate>,
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
    let matching = 0;
    let read = 0;
    const letters = readOnly ? stream(channel, messageCount) : oneByOne(channel, messageCount);
    for await (const message of letters) {
      read += 1;
      const letter = toDeadLetter(message);
      if (matches(letter, filter)) {
        matching += 1;
        if ((await handle(message, letter)) === 'remove') await reading(async () => channel.ack(message));
      }
      progress?.(read, messageCount, matching);
      if (matching >= limit) break;
    }
    // The answer to this request proves that the last acknowledgement has also arrived.
    await reading(() => channel.checkQueue(deadLetters));
  } finally {
    await connection.close();
  }
}

async function* oneByOne(channel: Channel, count: number): AsyncGenerator<Message> {
  for (let read = 0; read < count; read += 1) {
    // The answer also proves that the previous acknowledgement has arrived: at most one dead letter is unacknowledged.
    const message = await reading(() => channel.get(deadLetters));
    if (!message) return;
    yield message;
  }
}

/** Reads without a request for each dead letter, so thousands of them take a moment and not a minute. */
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
  const left = async () => (await channel.checkQueue(deadLetters)).messageCount;
  for (let read = 0; read < count; read += 1) {
    while (waiting.length === 0) {
      const arrival = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const woken = await doneWithin(arrival, idleMs);
      if (closed) throw new UnavailableError('broker', 'the connection to the broker was lost');
      // Another client may have taken the rest meanwhile.
      if (!woken && waiting.length === 0 && (await reading(left)) === 0) return;
    }
    const message = waiting.shift();
    if (message) yield message;
  }
}

/** Milliseconds without a dead letter after which the queue is checked. */
const idleMs = 500;

async function reading<T>(use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    throw new UnavailableError('broker', 'the connection to the broker was lost', { cause });
  }
}

function matches(letter: DeadLetter, { id, queue, reason }: DeadLetterFilter): boolean {
  const ids = typeof id === 'string' ? [id] : id;
  return (
    (ids === undefined || ids.includes(letter.id)) &&
    (queue === undefined || letter.queue === queue) &&
    (reason === undefined || letter.reason === reason)
  );
}
