import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from '../../amqp/connection.ts';
import { isEmpty, queueState, returned } from '../queue-state.ts';
import { answered, idleMs, lost } from '../stream.ts';

/** The most that AMQP lets one consumer hold. */
const maxHeld = 65_535;

/**
 * Reads the messages that are in a queue and returns them to their places with `basic.nack`. Other readers do not see them
 * meanwhile, and the broker marks them as redelivered.
 *
 * @param receive returns false to end it.
 * @returns false if fewer messages arrived than were counted, because another client had the others.
 * @throws UnavailableError if the connection is lost; the broker then returns the messages to the queue. The broker's error with
 *   its reply code if it refuses: 404 without such a queue, 403 without the right to read it.
 */
export async function browse(
  connection: BrokerConnection,
  queue: string,
  receive: (message: ConsumeMessage) => boolean,
): Promise<boolean> {
  const channel = await connection.channel();
  const { messageCount } = await queueState(channel, queue);
  const count = Math.min(messageCount, maxHeld);
  if (count === 0) {
    await channel.close();
    return true;
  }
  const over = new AbortController();
  let [seen, received, isLost, isEnough] = [0, 0, false, false];
  const lose = () => {
    isLost = true;
    over.abort();
  };
  channel.once('close', lose);
  await answered(() => channel.prefetch(count));
  const { consumerTag } = await channel.consume(queue, (message) => {
    if (!message) return lose();
    received += 1;
    if (isEnough) return;
    seen += 1;
    isEnough = !receive(message) || seen >= count;
    if (isEnough) over.abort();
  });
  while (!over.signal.aborted) {
    const before = seen;
    await Promise.race([once(over.signal, 'abort').catch(() => undefined), sleep(idleMs)]);
    // Another client may have taken the rest, or it is on its way here.
    if (seen === before && (await answered(() => isEmpty(connection, queue)))) break;
  }
  if (isLost) throw lost();
  // The answer comes after all messages that are on their way.
  await answered(() => channel.cancel(consumerTag));
  channel.removeListener('close', lose);
  await answered(() =>
    returned(connection, queue, async () => {
      channel.nackAll(true);
      await channel.close();
      return received;
    }),
  );
  return isEnough;
}
