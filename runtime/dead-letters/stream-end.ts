import type { BrokerConnection } from '../amqp/connection.ts';
import { UnavailableError } from '../base/errors.ts';
import { Arrivals } from './arrivals.ts';
import { publishNothing } from './nothing.ts';
import { answered, answerMs } from './stream.ts';

/** Messages that the broker sends ahead. */
const ahead = 1000;

/**
 * Returns the offset of the last message of a stream.
 *
 * The broker counts the messages of a stream every five seconds only, so a count of 0 means nothing. A stream of the index then
 * gets a message without content, which has to arrive.
 *
 * @returns undefined if the stream seems to be empty, and this login may not publish to it.
 * @throws UnavailableError if a message that exists does not arrive.
 */
export async function endOfStream(connection: BrokerConnection, name: string): Promise<number | undefined> {
  const channel = await connection.channel();
  const { messageCount } = await answered(() => channel.checkQueue(name));
  if (messageCount === 0 && !(await publishNothing(connection, name))) {
    await channel.close();
    return undefined;
  }
  const arrivals = new Arrivals(channel);
  await answered(() => channel.prefetch(ahead));
  await channel.consume(name, (message) => arrivals.add(message), {
    arguments: { 'x-stream-offset': 'last' },
  });
  if (!(await arrivals.within(answerMs))) throw noMessage(name);
  let last: number | undefined;
  while (arrivals.areThere) {
    for (const message of arrivals.take()) last = Number(message.properties.headers?.['x-stream-offset']);
    channel.ackAll();
    // `readStream` has the reason.
    await answered(() => channel.prefetch(ahead));
  }
  await channel.close();
  return last;
}

/** The error for a message that exists and does not arrive. */
export function noMessage(name: string): UnavailableError {
  return new UnavailableError('broker', `the stream "${name}" sent no message for ${answerMs} ms`);
}
