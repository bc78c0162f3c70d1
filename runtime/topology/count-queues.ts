import type { Channel } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { hasReplyCode } from '../amqp/reply-code.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';

/** Ready messages and consumers of a queue. */
export type Count = { messageCount: number; consumerCount: number };

/** amqplib sends a channel's next request after the answer to the last, so several channels share the queues. */
const channels = 8;

/**
 * Counts the ready messages and the consumers of queues. Queues that do not exist are left out.
 *
 * @throws UnavailableError if the connection is lost, WarrenError ERR_BROKER_REFUSED if the login lacks a right to a queue.
 */
export async function countQueues(
  connection: BrokerConnection,
  queues: readonly { name: string }[],
): Promise<Map<string, Count>> {
  const counts = new Map<string, Count>();
  const names = queues.map(({ name }) => name).values();
  await Promise.all(Array.from({ length: channels }, () => countEach(connection, names, counts)));
  return counts;
}

/** Counts the queues until there are none left, and skips those that do not exist. */
async function countEach(
  connection: BrokerConnection,
  names: Iterable<string>,
  counts: Map<string, Count>,
): Promise<void> {
  let channel: Channel | undefined;
  try {
    for (const name of names) {
      channel ??= await connection.channel();
      try {
        counts.set(name, await channel.checkQueue(name));
      } catch (cause) {
        // The broker closes the channel when a queue does not exist.
        channel = undefined;
        if (hasReplyCode(cause, 403)) throw notAllowed(name, cause);
        if (!hasReplyCode(cause, 404)) {
          throw new UnavailableError('broker', 'cannot read the queues', { cause });
        }
      }
    }
  } finally {
    channel?.close().catch(() => undefined);
  }
}

/** RabbitMQ 4.2.7 and later declare a queue passively only for a login with any right to it. */
function notAllowed(queue: string, cause: unknown): WarrenError {
  const needed = 'it needs a right to every queue that it counts';
  const advice = 'set counts: true for it in custom.warren.users, then run warren topology apply --users';
  const text = `the broker refused to count queue "${queue}" for this login: ${needed}; ${advice}`;
  return new WarrenError('ERR_BROKER_REFUSED', text, { cause });
}
