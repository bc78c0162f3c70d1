import { BrokerConnection } from '../amqp/connection.ts';
import { hasReplyCode } from '../amqp/reply-code.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { deadLetters } from '../topology/names.ts';
import { type DeadLetter, toDeadLetter } from './dead-letter.ts';
import { type DeadLetterFilter, matcher } from './filter.ts';
import { type QueueState, queueState } from './queue-state.ts';
import { type StreamOptions, stream } from './stream.ts';

/**
 * Passes each matching dead letter that exists at the start to `handle` once. They stay in their queue, but RabbitMQ counts a
 * delivery of each.
 *
 * @param handle returns false to end the visit.
 */
export async function readEach(
  url: string,
  filter: DeadLetterFilter,
  handle: (letter: DeadLetter) => boolean,
  options: Omit<StreamOptions, 'count'> = {},
): Promise<void> {
  await connected(url, async (connection, { messageCount: count }) => {
    const matches = matcher(filter);
    await stream(connection, { ...options, count }, (message) => {
      const letter = toDeadLetter(message);
      return matches(message, letter) ? handle(letter) : true;
    });
  });
}

/** Connects, counts the dead letters, and closes the connection at the end, which returns the kept ones to the queue. */
export async function connected(
  url: string,
  use: (connection: BrokerConnection, state: QueueState) => Promise<void>,
  queue: string = deadLetters,
): Promise<void> {
  const connection = new BrokerConnection({ url, name: 'warren dead-letters' });
  try {
    const channel = await connection.channel();
    const state = await queueState(channel, queue).catch((cause: unknown) => {
      if (hasReplyCode(cause, 403)) throw readRefused(cause, queue);
      if (cause instanceof UnavailableError) throw cause;
      const text = `queue "${queue}" can't be read; was the topology applied?`;
      throw new UnavailableError('broker', text, { cause });
    });
    await use(connection, state);
  } finally {
    await connection.close();
  }
}

/** The error for a login without the right to read the dead letters. */
export function readRefused(cause: unknown, queue: string = deadLetters): WarrenError {
  const advice =
    queue === deadLetters ? 'it needs replays: true in custom.warren.users' : 'it needs the right to read it';
  const text = `the broker refused to read queue "${queue}" for this login: ${advice}`;
  return new WarrenError('ERR_BROKER_REFUSED', text, { cause });
}
