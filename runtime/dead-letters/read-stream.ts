import type { Message } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { Arrivals } from './arrivals.ts';
import { isNothing } from './nothing.ts';
import { answered, answerMs, lost } from './stream.ts';
import { endOfStream, noMessage } from './stream-end.ts';

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

/** Milliseconds without a first message, after which the end of the stream is asked for. */
const silentMs = 50;
/** The same for a stream that seems to be empty and to which this login may not publish. */
const emptyMs = 250;

/**
 * Reads a stream (RabbitMQ 3.9 and later) up to its end at the time of the last read. Reading takes no message and changes no
 * count, and only the messages that the broker sends ahead are in memory. In a cluster, it is the end of the replica that the
 * broker of the connection reads.
 *
 * @throws the broker's error with its reply code if it refuses: 404 without such a stream, 403 without the right to read it;
 *   UnavailableError if the connection is lost, or if a message that exists does not arrive.
 */
export async function* readStream(
  connection: BrokerConnection,
  name: string,
  { from = 0, ahead = 1000 }: ReadStreamOptions = {},
): AsyncGenerator<StreamEntry, void, undefined> {
  const channel = await connection.channel();
  const arrivals = new Arrivals(channel);
  await answered(() => channel.prefetch(ahead));
  await channel.consume(name, (message) => arrivals.add(message), { arguments: { 'x-stream-offset': from } });
  try {
    if (!(await arrivals.within(silentMs))) {
      // The stream reports its length to the broker's channel in its own time, so silence means nothing.
      const end = await endOfStream(connection, name);
      const isBehind = end !== undefined && from !== 'last' && end < from;
      if (isBehind && !arrivals.areThere) return;
      if (!(await arrivals.within(end === undefined ? emptyMs : answerMs))) {
        if (end === undefined) return;
        throw noMessage(name);
      }
    }
    let unacknowledged = 0;
    while (arrivals.areThere) {
      let last: Message | undefined;
      for (const message of arrivals.take()) {
        last = message;
        unacknowledged += 1;
        // An acknowledgement only makes room for the next message.
        if (unacknowledged >= ahead / 2) {
          channel.ack(message, true);
          unacknowledged = 0;
        }
        const offset = Number(message.properties.headers?.['x-stream-offset']);
        if ((from === 'last' || offset >= from) && !isNothing(name, message)) yield { offset, message };
      }
      if (last && unacknowledged > 0) channel.ack(last, true);
      unacknowledged = 0;
      // At an acknowledgement, the broker's channel reads the stream and sends all that there is. The answer comes after that.
      await answered(() => channel.prefetch(ahead));
    }
    if (arrivals.isLost) throw lost();
  } finally {
    if (!arrivals.isLost) await channel.close();
  }
}
