import { setTimeout as sleep } from 'node:timers/promises';
import type { Channel } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { UnavailableError } from '../base/errors.ts';
import { deadLetters } from '../topology/names.ts';

/** State of a queue of dead letters. */
export type QueueState = Awaited<ReturnType<Channel['checkQueue']>>;

const maxTries = 20;
const pauseMs = 250;

/**
 * Counts the dead letters that no consumer holds. RabbitMQ answers 0 if the queue does not answer it within 250 ms, so a busy
 * broker has no dead letters only if `basic.get` has none either.
 *
 * @throws UnavailableError if the broker has no count for about five seconds; as `Channel.checkQueue`.
 */
export async function queueState(channel: Channel, queue: string = deadLetters): Promise<QueueState> {
  for (let tries = 0; tries < maxTries; tries += 1) {
    const state = await channel.checkQueue(queue);
    if (state.messageCount > 0) return state;
    const message = await channel.get(queue);
    if (!message) return state;
    channel.nack(message, false, true);
    await sleep(pauseMs);
  }
  throw new UnavailableError('broker', 'the broker is too busy to count the dead letters');
}

/** Whether no message of a queue is ready. Only `basic.get` reports it for certain; `queueState` has the reason. */
export async function isEmpty(connection: BrokerConnection, queue: string): Promise<boolean> {
  const channel = await connection.channel();
  const message = await channel.get(queue);
  if (message) channel.nack(message, false, true);
  await channel.close();
  return !message;
}
