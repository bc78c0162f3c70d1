import type { Message } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { UnavailableError } from '../base/errors.ts';
import { answered } from './stream.ts';

/** A message of a stream with its position. */
export interface StreamEntry {
  /** Grows with each message of the stream; some numbers are missing. */
  offset: number;
  message: Message;
}

export interface ReadStreamOptions {
  /** Offset of the first message, default the oldest one. `last` begins with the last group of messages that were written. */
  from?: number | 'last';
  /** Messages that the broker sends ahead, default 1000. */
  ahead?: number | undefined;
}

/**
 * Milliseconds without a message, twice, after which the end is reached, if the broker has answered a request meanwhile. A consumer
 * gets its first message when the stream reports its length to the broker's channel. After that, the channel sends all that there is
 * before it answers.
 */
const quietMs = { first: 150, later: 5 };

/**
 * Reads a stream (RabbitMQ 3.9 and later) up to its present end. Reading takes no message and changes no count, and only the
 * messages that the broker sends ahead are in memory.
 *
 * @throws the broker's error with its reply code if it refuses: 404 without such a stream, 403 without the right to read it;
 *   UnavailableError if the connection is lost.
 */
export async function* readStream(
  connection: BrokerConnection,
  name: string,
  { from = 0, ahead = 1000 }: ReadStreamOptions = {},
): AsyncGenerator<StreamEntry, void, undefined> {
  const channel = await connection.channel();
  const arrived: Message[] = [];
  let isLost = false;
  let wake: () => void = () => undefined;
  channel.once('close', () => {
    isLost = true;
    wake();
  });
  const arrival = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  await answered(() => channel.prefetch(ahead));
  await channel.consume(
    name,
    (message) => {
      if (message) arrived.push(message);
      else isLost = true;
      wake();
    },
    { arguments: { 'x-stream-offset': from } },
  );
  try {
    let last: Message | undefined;
    let unacknowledged = 0;
    let quiet = 0;
    while (quiet < 2) {
      for (const message of arrived.splice(0)) {
        quiet = 0;
        last = message;
        unacknowledged += 1;
        // An acknowledgement only makes room for the next message.
        if (unacknowledged >= ahead / 2) {
          channel.ack(message, true);
          unacknowledged = 0;
        }
        const offset = Number(message.properties.headers?.['x-stream-offset']);
        if (from === 'last' || offset >= from) yield { offset, message };
      }
      if (arrived.length === 0 && !isLost) await arrival(last ? quietMs.later : quietMs.first);
      if (isLost) throw new UnavailableError('broker', 'the connection to the broker was lost');
      if (arrived.length > 0) continue;
      if (last && unacknowledged > 0) channel.ack(last, true);
      unacknowledged = 0;
      // The answer comes after all messages that the broker had sent.
      await answered(() => channel.prefetch(ahead));
      if (arrived.length === 0) quiet += 1;
    }
  } finally {
    if (!isLost) await channel.close();
  }
}
