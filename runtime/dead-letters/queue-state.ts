import { setTimeout as sleep } from 'node:timers/promises';
import type { Channel } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { UnavailableError } from '../base/errors.ts';
import { deadLetters } from '../topology/names.ts';

/** State of a queue of dead letters. */
export type QueueState = Awaited<ReturnType<Channel['checkQueue']>>;

const maxTries = 20;
const pauseMs = 250;
/** Limit for the return of messages to their queue in milliseconds, and the pause between two counts. */
const [maxReturnMs, returnPauseMs] = [5000, 50];

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

/**
 * Returns messages to their queue and waits until they are ready again: a quorum queue writes a return to its log, after the broker
 * has answered that the channel is closed, and a look before that would miss them. Another client may have taken some meanwhile, so
 * the wait ends after five seconds.
 *
 * @param giveBack returns the messages, whose consumers are canceled, and resolves to their number.
 * @throws as `Channel.checkQueue`, and as `giveBack`.
 */
export async function returned(
  connection: BrokerConnection,
  queue: string,
  giveBack: () => Promise<number>,
): Promise<void> {
  const channel = await connection.channel();
  const ready = async () => (await channel.checkQueue(queue)).messageCount;
  const before = await ready();
  const expected = before + (await giveBack());
  const until = performance.now() + maxReturnMs;
  while (expected > before && (await ready()) < expected && performance.now() < until) {
    await sleep(returnPauseMs);
  }
  await channel.close();
}
